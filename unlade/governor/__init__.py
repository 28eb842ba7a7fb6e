"""How much, how fast, when to stop: pure rules with a clock passed in, and one thread-safe gate that applies them.

budget     bytes that may still come over the wire, by `periods`; `allowance`: what the host's own meter says
pace       downloads at once, gaps between requests
breaker    leaving a struggling host alone, and coming back
verdicts   what an error says about the host; `outcome`: what that changes in breaker and pace
governor   the gate that every request to the host passes; `settings`, `permits`: what it is told and shares
forecast   when it will be done, by simulated futures; `estimate`: by the mean of the last runs
learning   what past troubles have in common, in one line
quiet      hours in which nothing is asked
"""
