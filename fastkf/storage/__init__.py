"""The object store of this machine: SeaweedFS, started, stopped and asked from the command line."""
