-- Counts a batch in one step, by the rules of `Batch::decide`. Returns the text that
-- `totals_to_text` writes.
-- Numbers are formatted explicitly, because Lua would write large ones as 1e+15.
-- KEYS: the batch ('' without an id), then for each entry its counter and that of the previous window
-- ('' without one).
-- ARGV: 1 for all or nothing and else 0, the seconds to remember the batch, then for each entry the
-- increment, the limit (-1 without one), the share of the previous window in millionths, and the end
-- of the counter (milliseconds since 1970).
local remembered = KEYS[1] ~= '' and redis.call('GET', KEYS[1])
if remembered then return remembered end

local function stored(key) return tonumber(redis.call('GET', key) or 0) end
local counts, entries, refused = {}, {}, false
local function count(key)
  counts[key] = counts[key] or stored(key)
  return counts[key]
end

for n = 1, (#KEYS - 1) / 2 do
  local key, before = KEYS[2 * n], KEYS[2 * n + 1]
  local by, limit, share = tonumber(ARGV[4 * n - 1]), tonumber(ARGV[4 * n]), tonumber(ARGV[4 * n + 1])
  local previous = before ~= '' and count(before) or -1
  local held = before ~= '' and math.floor(previous * share / 1000000) or 0
  local admitted = -1
  if limit >= 0 then admitted = count(key) + by + held <= limit and 1 or 0 end
  if admitted == 0 then refused = true else counts[key] = count(key) + by end
  entries[n] = { key = key, before = before, admitted = admitted, total = count(key), previous = previous,
    by = admitted == 0 and 0 or by, ends = ARGV[4 * n + 2] }
end

local nothing = refused and ARGV[1] == '1'
local answer = {}
for n, entry in ipairs(entries) do
  if nothing then
    entry.total = stored(entry.key)
    if entry.before ~= '' then entry.previous = stored(entry.before) end
  end
  answer[n] = string.format('%.0f %d %.0f', entry.total, entry.admitted, entry.previous)
end
if not nothing then
  for _, entry in ipairs(entries) do
    if entry.by > 0 then
      redis.call('INCRBY', entry.key, string.format('%.0f', entry.by))
      redis.call('PEXPIREAT', entry.key, entry.ends)
    end
  end
end
answer = table.concat(answer, ' ')
if KEYS[1] ~= '' then redis.call('SET', KEYS[1], answer, 'EX', ARGV[2]) end
return answer
