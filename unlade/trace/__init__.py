"""What became of one picture, or of one owner's, told from ledger, rows and store. Asks no FileMaker."""
