"""When all will be here, by which road, and at what price: the governor's forecast over what the ledger knows.

stock      what is still to come of each import: how many, how large, how fast (reads the ledger)
futures    many futures of several imports that share one host and one allowance (pure)
roads      the ways there are, each with its futures; `advice`: which one, and why (pure)
compare    all of it for one command
left       time left for a progress bar
troubles   what the ledger learnt about the host's troubles
text, markdown, as_json, plot: the same comparison, drawn
"""
