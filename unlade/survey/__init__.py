"""What containers a database has, how many records fill them, and which of them no declaration takes (LESSONS 16).

`api` looks at a host, `file` at database files; both tell the same `values`. `covering` compares them with the
declarations and with what was waived; `keeping` remembers all that in the ledger.
"""
