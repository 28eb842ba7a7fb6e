"""Whether source, ledger, rows and store agree: by one listing, or by reading every object. Asks no FileMaker."""
