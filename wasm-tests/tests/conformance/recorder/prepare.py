#!/usr/bin/env python3
"""Puts the recorder's calls into a checkout of Kong: prepare.py CHECKOUT. The checkout is changed."""

import pathlib
import sys

CLIENT = """  ngx.update_time(); local recorded_at = ngx.now()
  local res, err = self:request(opts)
  if _G.__rec and not (res and res.status == 101) then
    if res then
      local body, body_err = res:read_body()
      res.read_body = function() return body, body_err end
    end
    pcall(_G.__rec, self.options, opts, res, err, recorded_at)
  end
"""

LOG = """function Kong.log()
  pcall(function()
    local to = assert(io.open(os.getenv("RECORD_KONG_TO") or "/tmp/record-kong.jsonl", "a"))
    local ctx = ngx.ctx
    to:write(require("cjson").encode {
      rid = require("kong.observability.tracing.request_id").get(),
      route = ctx.route and ctx.route.id, service = ctx.service and ctx.service.id,
      client = ngx.var.remote_addr, upstream_status = ngx.var.upstream_status,
    }, "\\n")
    to:close()
  end)
"""

SCHEMA = """  local validate_it
  validate_plugin_config_schema = function(config, schema_def, extra_fields)
    local before = require("pl.tablex").deepcopy(config)
    local ok, err = validate_it(config, schema_def, extra_fields)
    if _G.__rec_schema then
      pcall(_G.__rec_schema, schema_def.name, before, ok and true or false)
    end
    return ok, err
  end
  validate_it = function(config, schema_def, extra_fields)
"""


def replace(file, old, new):
    text = file.read_text()
    if text.count(old) != 1:
        sys.exit(f"{file}: expected once: {old!r}")
    file.write_text(text.replace(old, new))


def main():
    kong = pathlib.Path(sys.argv[1])
    replace(kong / "spec/internal/client.lua", "  local res, err = self:request(opts)\n", CLIENT)
    replace(kong / "kong/init.lua", "function Kong.log()\n", LOG)
    old = "  validate_plugin_config_schema = function(config, schema_def, extra_fields)\n"
    replace(kong / "spec/internal/db.lua", old, SCHEMA)


main()
