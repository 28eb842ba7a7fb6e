"""Files that are in the store already: rows from metadata alone, thumbnails afterwards, and what earlier scripts left.

Nothing is asked of FileMaker, and nothing in the store is moved, copied or changed unless that is asked for.
"""
