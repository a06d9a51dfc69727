"""Bytes that others wrote: read so that damaged or hostile ones are an error that says so, and nothing worse."""
