"""A stand-in for Google: an OpenID provider for development, on this machine only, with a few ready people.

It asks for no password, so it lets anybody in as anybody. It knows nothing of the site and imports none of it.
"""
