-- Each connection, alone in its thread, steps the line of its own refresh token. The first tokens stand before this
-- text as `tokens`, the path as `path`.
local threads = 0

function setup(thread)
    thread:set("number", threads)
    threads = threads + 1
end

function init()
    token = tokens[number + 1]
    headers = {["Content-Type"] = "application/json"}
end

function request()
    return wrk.format("POST", path, headers, '{"refresh_token": "' .. token .. '"}')
end

function response(status, _, body)
    token = body:match('"refresh_token": ?"([^"]+)"') or "none: the next one is refused, and counted"
end
