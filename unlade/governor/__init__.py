"""How much, how fast, when to stop: pure rules with a clock passed in, and one thread-safe gate that applies them.

budget     bytes that may still come over the wire, by period (`periods`), and what others used (`allowance`)
pace       downloads at once, gaps between requests
breaker    leaving a struggling host alone, and coming back
governor   the gate that every request to the host passes; applies pace and breaker to real threads
forecast   when it will be done, from what was seen so far
learning   what past troubles have in common, in one line
"""
