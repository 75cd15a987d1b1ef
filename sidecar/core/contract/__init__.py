"""The contract of the wire: shapes, tables, errors. Each change here changes the contract."""
