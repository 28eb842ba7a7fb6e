"""`--pilot N`: a sample that differs as much as a listing shows goes the whole way first, and says what was learnt.

`choosing` picks the sample (pure), `gathering` collects its candidates while pages are listed, `learning` draws the
figures from what became of it, `text` and `page` show them.
"""
