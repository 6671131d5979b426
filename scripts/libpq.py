"""What pg_dump and pg_restore need of DATABASE_URL, as lines for a shell. The password goes by the environment: an
argument can be read by everybody who may list processes.
"""

import os
import shlex

from sqlalchemy import URL, make_url

_url = make_url(os.environ["DATABASE_URL"])
_query = dict(_url.query)
_password = _query.pop("password", None) or _url.password
_address = URL.create("postgresql", _url.username, None, _url.host, _url.port, _url.database, _query)

if _password is not None:
    print(f"export PGPASSWORD={shlex.quote(str(_password))}")
print(f"address={shlex.quote(_address.render_as_string(hide_password=False))}")
