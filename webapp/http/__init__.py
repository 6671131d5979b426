"""Flask glue that the blueprints share: cookies, the session store, headers, limits on requests, logging."""
