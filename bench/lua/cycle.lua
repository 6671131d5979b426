-- Sends the requests of a list again and again, each connection from a place of its own in it.
-- The list stands before this text as `requests`; its answers must not be refusals, which wrk counts by itself.
local threads = 0

function setup(thread)
    thread:set("number", threads)
    threads = threads + 1
end

function init()
    formatted = {}
    for position, one in ipairs(requests) do
        formatted[position] = wrk.format(one.method, one.path, one.headers, one.body)
    end
    at = number * math.ceil(#formatted / 8)
end

function request()
    at = at + 1
    return formatted[(at - 1) % #formatted + 1]
end
