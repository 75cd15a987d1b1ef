"""What goes over the wire: shapes, tables, errors. One change here changes the contract."""
