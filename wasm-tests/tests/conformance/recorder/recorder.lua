-- A helper of busted: notes what Kong's own tests ask and get, one JSON object for each line.
-- RECORD_TO names the file. `prepare.py` puts the calls of `__rec` and `__rec_schema` into Kong.

local busted = require "busted"
local http = require "resty.http"
local cjson = require("cjson").new()
cjson.decode_array_with_array_mt(true)
cjson.encode_sparse_array(true)

local out = assert(io.open(os.getenv("RECORD_TO"), "w"))
local ADMIN = 9001
local current, changed = nil, true

local function put(object)
  out:write(cjson.encode(object), "\n")
  out:flush()
end

local function name(element)
  local names = { element.name or element.descriptor }
  local parent = busted.parent(element)
  while parent and (parent.name or parent.descriptor) and parent.descriptor ~= "file" do
    table.insert(names, 1, parent.name or parent.descriptor)
    parent = busted.parent(parent)
  end
  return names
end

busted.subscribe({ "test", "start" }, function(element)
  current, changed = name(element), true
  put { kind = "start", test = current }
end)

busted.subscribe({ "test", "end" }, function(_, _, status)
  put { kind = "end", test = current, status = tostring(status) }
  current = nil
end)

-- The configuration, as the Admin API tells it. Nothing, if it does not listen.
local function configuration()
  local all = {}
  for _, what in ipairs { "plugins", "routes", "services", "consumers", "key-auths", "jwts", "acls", "basic-auths" } do
    local client = http.new()
    client:set_timeout(3000)
    local answer = client:request_uri("http://127.0.0.1:" .. ADMIN .. "/" .. what .. "?size=1000")
    if not answer or answer.status ~= 200 then
      return nil
    end
    all[what] = cjson.decode(answer.body).data
  end
  return all
end

local function texts(headers)
  local all = {}
  for key, value in pairs(headers or {}) do
    if type(value) == "table" then
      local list = {}
      for i, one in ipairs(value) do
        list[i] = tostring(one)
      end
      value = list
    else
      value = tostring(value)
    end
    all[tostring(key)] = value
  end
  return all
end

-- Called for each request of a test, with its answer and the time at which it began.
_G.__rec = function(connection, asked, answer, err, began)
  local admin = connection.port == ADMIN
  if admin and asked.method and asked.method ~= "GET" then
    changed = true
  end
  if not admin and changed then
    local config = configuration()
    if config then
      put { kind = "config", config = config }
      changed = false
    end
  end
  put {
    kind = "request", test = current, port = connection.port,
    ssl = connection.scheme == "https" or nil, time = began,
    method = asked.method or "GET", path = asked.path or "/",
    query = type(asked.query) == "string" and asked.query or nil,
    headers = texts(asked.headers),
    body = type(asked.body) == "string" and ngx.encode_base64(asked.body) or nil,
    status = answer and answer.status, reply = answer and texts(answer.headers) or {},
    text = answer and ngx.encode_base64(answer:read_body() or ""), error = err,
  }
end

-- Called for each configuration that a test checks against the schema of a plugin.
_G.__rec_schema = function(plugin, config, ok)
  put { kind = "schema", test = current, plugin = plugin, config = config, ok = ok }
end
