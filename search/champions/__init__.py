"""The registered models: who is champion, who may be, and how they compare."""
