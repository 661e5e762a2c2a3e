"""One reader per data set format: a row in, a record's labels and group out."""
