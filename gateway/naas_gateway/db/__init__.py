"""What the gateway keeps: tables, transactions, encryption, migrations."""
