"""The embedded cloud and its supervisor: everything a laptop needs to run the whole service. Imported by nobody."""
