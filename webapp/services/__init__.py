"""Use cases. They decide by policy, write by models, own the transaction. No Flask, no HTTP."""
