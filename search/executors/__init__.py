"""The places where trials run: this process, processes of this machine, Ray."""
