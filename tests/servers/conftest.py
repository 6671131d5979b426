"""The site as many apps use it: four workers, on either kind of stores, shared by all tests of one kind."""

import pytest

from tests.servers.devices import ApiSite
from tests.servers.fixtures import NewSite

WORKERS = 4


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def api_site(request: pytest.FixtureRequest, new_site: NewSite) -> ApiSite:
    """A site whose hashes cost nothing and that counts nobody: all apps in it come from one address."""
    stores = {}
    if request.param == "postgres":
        postgres, valkey = (request.getfixturevalue(f"{name}_server") for name in ("postgres", "valkey"))
        stores = {"DATABASE_URL": postgres.new_database(), "REDIS_URL": valkey.url}
    cheap = {"ARGON2_TIME_COST": "1", "ARGON2_MEMORY_KIB": "8"}
    return ApiSite(new_site(WEB_CONCURRENCY=str(WORKERS), RATELIMIT_ENABLED="0", **cheap, **stores))
