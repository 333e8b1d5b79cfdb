// The Lua of counters: what a Redis is told of days, and what it tells. Knows no limit.
import { BEGIN, CHANGE, EPOCH, OF_KIND, OF_OTHER, OF_SHADOW, OTHER, SHADOW, STATE, TOLD } from './script-parts.js';

/**
 * Arguments: prefix, now or -1, the id under which values are added once, or '' to raise to them, then for each day of
 * an org: `DAY:ORG`, until when it is kept (0: only where it is known), model, capacity, epoch (-1: none), the counters
 * in the order of USAGE_COUNTERS, capacity in the other unit (-1: none), how many kinds, then kind, calls and credits
 * each.
 */
export const MERGE = `${BEGIN}${CHANGE}
local id = a[3]
if id ~= '' and not run('SET', prefix .. 'added:' .. id, '1', 'NX', 'PX', 86400000) then return 0 end${EPOCH}
local function combine(old, value)
  if id ~= '' then return old + value end
  return math.max(old, value)
end
-- what was seen before this Redis was emptied is compared with what it was told, anything else with all that it has
local function raise(key, s, at, seen)
  local packed, raised = run('HGET', key, 't'), false
  local told = packed and { unpack('${TOLD}', packed) } or { 0, 0, 0, 0, 0, 0 }
  for counter = 1, 6 do
    local by = a[at + counter] - (seen >= 0 and seen ~= epoch and told or s)[counter]
    if by > 0 then
      s[counter], told[counter], raised = s[counter] + by, told[counter] + by, true
    end
  end
  if not raised then return 0 end
  return run('HSET', key, 't', pack('${TOLD}', told[1], told[2], told[3], told[4], told[5], told[6]))
end
local at = 4
while at <= #a do
  local member, kept, model, other, kinds = a[at], a[at + 1], a[at + 2], a[at + 14], a[at + 15]
  local key, v, made = prefix .. member, at + 4, 0
  if kept > 0 and run('HEXISTS', key, 's') == 0 then
    local fields = 1
    if other >= 0 then fields = 1 + run('HSET', key, '${OTHER}', pack('${OF_OTHER}', other)) end
    run('HSET', key, 's', pack('${STATE}', 0, 0, 0, 0, 0, 0, 0, a[at + 3] + 1, 0, fields, model))
    run('PEXPIREAT', key, kept)
  end
  if run('HEXISTS', key, 's') == 1 then
    for kind = at + 16, at + 15 + kinds * 3, 3 do
      local field, calls, credits = '+' .. a[kind], 0, 0
      local packed = run('HGET', key, field)
      if packed then calls, credits = unpack('${OF_KIND}', packed) end
      made = made + run('HSET', key, field, pack('${OF_KIND}', combine(calls, a[kind + 1]),
        combine(credits, a[kind + 2])))
    end
    if a[v + 8] + a[v + 9] > 0 then
      local packed, by_credits, by_concurrency = run('HGET', key, '${SHADOW}'), 0, 0
      if packed then by_credits, by_concurrency = unpack('${OF_SHADOW}', packed) end
      made = made + run('HSET', key, '${SHADOW}', pack('${OF_SHADOW}', combine(by_credits, a[v + 8]),
        combine(by_concurrency, a[v + 9])))
    end
    change(key, member, function(s)
      if id == '' then
        made = made + raise(key, s, v, a[v])
        if model == 0 then s[11] = s[11] - s[11] % 2 end
      else
        for counter = 1, 6 do s[counter] = s[counter] + a[v + counter] end
      end
      s[7], s[10] = math.max(s[7], a[v + 7]), s[10] + made
    end)
  end
  at = at + 16 + kinds * 3
end
return 0`;

/**
 * Arguments: prefix, -1, limit, 1 where a round begins. Returns, packed, for each day of an org `DAY:ORG` and its hash
 * as it is; it is no longer marked.
 */
export const COLLECT = `local spread = unpack${BEGIN}
local dirty, draining, collected = prefix .. 'dirty', prefix .. 'draining', prefix .. 'collected'
if a[4] == 1 then
  if run('EXISTS', collected) == 1 then
    run('SUNIONSTORE', draining, draining, collected)
    run('DEL', collected)
  end
  if run('EXISTS', draining) == 0 and run('EXISTS', dirty) == 1 then run('RENAME', dirty, draining) end
end
local out, found = {}, {}
local function find_state(hash)
  for at = 1, #hash, 2 do
    if hash[at] == 's' then return hash[at + 1] end
  end
end
for _, member in ipairs(run('SPOP', draining, a[3])) do
  local key = prefix .. member
  local hash = run('HGETALL', key)
  local packed = find_state(hash)
  if packed then
    local marked = string.byte(packed, -1)
    if marked >= 2 then run('HSET', key, 's', sub(packed, 1, -2) .. string.char(marked % 2)) end
    found[#found + 1] = member
    out[#out + 1] = member
    out[#out + 1] = hash
  end
end
-- still within the one step of the script, so none is lost in between
if #found > 0 then run('SADD', collected, spread(found)) end
return cmsgpack.pack(out)`;

/** Arguments: prefix, now or -1, org, day. Returns its hash as it is, and the calls in flight. */
export const FIND = `${BEGIN}
local key, flying = prefix .. a[4] .. ':' .. a[3], 0
local hash, moved = run('HGETALL', key), run('HGET', key, 'n')
while moved do
  key = prefix .. moved .. ':' .. a[3]
  moved = run('HGET', key, 'n')
end
for _, expires in pairs(list_slots(key)) do
  if expires > now then flying = flying + 1 end
end
return { hash, flying }`;
