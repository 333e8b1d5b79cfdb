// The Lua of the meter: each script does many calls, one after the other, and nothing comes in between. It restates
// src/domain/metering/decide-call.ts; a property test holds the two together. Redis's own clock picks the day.
//
// Keys, all with the prefix: `DAY:ORG` hash · `dirty` and `draining` sets of `DAY:ORG` · `epoch`: when this Redis began
// to know anything · `added:ID`: what was added once.
// Fields of a hash: s the state, packed · +KIND its calls and credits, packed · ~CALL when the slot of a call in flight
// expires · n the day to which its calls in flight were moved. One hash instead of several keys, below the size at
// which Redis gives up its compact form, and packed numbers: half the time and half the memory of keys and fields of
// their own.
// The state: calls, credits, calls given back, credits given back, refused by credits, refused by concurrency, peak in
// flight, capacity + 1 (0: no limit), a time before which no slot expires, how many fields are no slots, model (0
// legacy, 1 credits) + 2 where it is in `dirty`.
//
// The one argument of a script is JSON: Redis reads it faster than as many arguments, and so is it written.
const STATE = '<I7I7I7I7I7I7I3I7I6I2B';
const OF_KIND = '<I7I7';
/** `a`: the arguments, from 1 on: prefix, now or -1, …; `now` in ms. */
const BEGIN = `
local run, pack, unpack, sub = redis.call, struct.pack, struct.unpack, string.sub
local a = cjson.decode(ARGV[1])
local prefix, now = a[1], a[2]
if now < 0 then
  local t = run('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
end
local function list_slots(key)
  local hash, slots = run('HGETALL', key), {}
  for at = 1, #hash, 2 do
    if sub(hash[at], 1, 1) == '~' then slots[hash[at]] = tonumber(hash[at + 1]) end
  end
  return slots
end`;

/** Applies a change to the state of a day, which is `dirty` from then on; false: there is none. */
const CHANGE = `
local function change(key, member, apply)
  local packed = run('HGET', key, 's')
  if not packed then return false end
  local v = { unpack('${STATE}', packed) }
  apply(v)
  if v[11] < 2 then
    run('SADD', prefix .. 'dirty', member)
    v[11] = v[11] + 2
  end
  run('HSET', key, 's', pack('${STATE}', v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8], v[9], v[10], v[11]))
  return true
end`;

/** How many arguments a call has, and how many doubles its answer. */
const CALL_ARGS = 7;
export const ANSWER_NUMBERS = 8;

/** First number of an answer. */
export const ANSWER = {
  allowed: 0,
  refusedByCredits: 1,
  refusedByConcurrency: 2,
  repeated: 3,
  unseeded: 4,
  shadowByCredits: 5,
  shadowByConcurrency: 6,
} as const;

/**
 * Arguments: prefix, now or -1, lease ms, ms that hashes are kept, the name of the day before, two days (name, start,
 * end), then for each call: org, call, kind, credits, flags (9 model + 3 enforce credits + enforce concurrency; 0 off,
 * 1 shadow, 2 on), capacity, concurrency (-1: no limit). Returns doubles: now, the day's position (0: none), then for
 * each call: what, calls, credits, calls given back, credits given back, in flight, model, capacity.
 */
export const ACQUIRE = `${BEGIN}
local lease = a[3]
local day, start, ends, before
for at = 6, 9, 3 do
  if now >= a[at + 1] and now < a[at + 2] then
    day, start, ends, before = a[at], a[at + 1], a[at + 2], at == 6 and a[5] or a[6]
  end
end
local out = { pack('<dd', now, not day and 0 or day == a[6] and 1 or 2) }
if not day then return out[1] end
local today = prefix .. day .. ':'

-- the calls in flight of the day before go on in this one
local function move_slots(org)
  local from = prefix .. before .. ':' .. org
  if run('EXISTS', from) == 0 then return end
  for slot, expires in pairs(list_slots(from)) do
    run('HDEL', from, slot)
    if expires > now then run('HSET', today .. org, slot, expires) end
  end
  local packed = run('HGET', from, 's')
  if run('HSET', from, 'n', day) == 1 and packed then
    local c, k, b, g, r, q, p, n, x, f, m = unpack('${STATE}', packed)
    run('HSET', from, 's', pack('${STATE}', c, k, b, g, r, q, p, n, x, f + 1, m))
  end
end
local function drop_expired(key)
  local first = now + lease
  for slot, expires in pairs(list_slots(key)) do
    if expires <= now then run('HDEL', key, slot) elseif expires < first then first = expires end
  end
  return first
end

for at = 12, #a, ${CALL_ARGS} do
  local org, kind, slot = a[at], '+' .. a[at + 2], '~' .. a[at + 1]
  local credits, flags, number, concurrency = a[at + 3], a[at + 4], a[at + 5], a[at + 6]
  local key, model = today .. org, flags >= 9 and 1 or 0
  local h = run('HMGET', key, 's', kind, slot)
  local is_new, is_known = not h[1], true
  if is_new then
    local epoch = run('GET', prefix .. 'epoch')
    if not epoch then
      run('SET', prefix .. 'epoch', now)
      epoch = now
    end
    is_known = start >= tonumber(epoch)
  end
  if not is_known then
    out[#out + 1] = pack('<dddddddd', ${ANSWER.unseeded}, 0, 0, 0, 0, 0, 0, 0)
  else
    local c, k, b, g, r, q, p, n, x, f, m = 0, 0, 0, 0, 0, 0, 0, number + 1, 0, 0, model
    if is_new then move_slots(org) else c, k, b, g, r, q, p, n, x, f, m = unpack('${STATE}', h[1]) end
    local d = m >= 2
    if d then m = m - 2 end
    local changed = is_new
    if x <= now then x, changed = drop_expired(key), true end
    local limit = number
    if m == model then
      if n ~= number + 1 then n, changed = number + 1, true end
    elseif n == 0 or number < 0 then
      limit = -1
    elseif n - 1 > number then
      limit = n - 1
    end
    local flying = run('HLEN', key) - f
    local mode_credits, mode_concurrency = math.floor(flags % 9 / 3), flags % 3
    local over_credits = limit >= 0 and (m == 0 and c - b + 1 > limit or m == 1 and k - g + credits > limit)
    local over_concurrency = m == 1 and model == 1 and concurrency >= 0 and flying >= concurrency
    local what = 0
    if (is_new or h[3]) and run('HEXISTS', key, slot) == 1 then what = ${ANSWER.repeated}
    elseif over_credits and mode_credits == 2 then what = ${ANSWER.refusedByCredits}
    elseif over_concurrency and mode_concurrency == 2 then what = ${ANSWER.refusedByConcurrency}
    elseif over_credits and mode_credits == 1 then
      what, r = ${ANSWER.shadowByCredits}, r + 1
    elseif over_concurrency and mode_concurrency == 1 then
      what, q = ${ANSWER.shadowByConcurrency}, q + 1
    end
    if is_new then f = 1 end
    if what == 0 or what > ${ANSWER.unseeded} then
      if not d then run('SADD', prefix .. 'dirty', day .. ':' .. org) end
      c, k, flying = c + 1, k + credits, flying + 1
      if flying > p then p = flying end
      if now + lease < x then x = now + lease end
      local calls, spent = 0, 0
      if h[2] then calls, spent = unpack('${OF_KIND}', h[2]) else f = f + 1 end
      run('HSET', key, 's', pack('${STATE}', c, k, b, g, r, q, p, n, x, f, m + 2),
        kind, pack('${OF_KIND}', calls + 1, spent + credits), slot, now + lease)
    elseif changed then
      run('HSET', key, 's', pack('${STATE}', c, k, b, g, r, q, p, n, x, f, d and m + 2 or m))
    end
    if is_new then run('PEXPIREAT', key, ends + a[4]) end
    out[#out + 1] = pack('<dddddddd', what, c, k, b, g, flying, m, n - 1)
  end
end
return table.concat(out)`;

/**
 * Arguments: prefix, now or -1, count, then for each ended call: org, call, day, credits given back or -1; then for
 * each refusal: org, day, by credits, by concurrency.
 */
export const RELEASE = `${BEGIN}${CHANGE}
local last = 3 + a[3] * 4
for at = 4, last, 4 do
  local org, slot, day, back = a[at], '~' .. a[at + 1], a[at + 2], a[at + 3]
  local charged = prefix .. day .. ':' .. org
  local key, moved = charged, false
  local expires = back >= 0 and run('HGET', key, slot)
  while run('HDEL', key, slot) == 0 do
    moved = run('HGET', key, 'n')
    if not moved then break end
    key = prefix .. moved .. ':' .. org
    expires = back >= 0 and run('HGET', key, slot)
  end
  if expires and tonumber(expires) > now then
    change(charged, day .. ':' .. org, function(v) v[3], v[4] = v[3] + 1, v[4] + back end)
  end
end
for at = last + 1, #a, 4 do
  local member = a[at + 1] .. ':' .. a[at]
  change(prefix .. member, member, function(v) v[5], v[6] = v[5] + a[at + 2], v[6] + a[at + 3] end)
end
return 0`;

/** Arguments: prefix, now or -1, lease ms, ms that a hash without a state is kept, then: org, call, day of each. */
export const RENEW = `${BEGIN}
for at = 5, #a, 3 do
  local key = prefix .. a[at + 2] .. ':' .. a[at]
  local h = run('HMGET', key, 's', 'n')
  while h[2] do
    key = prefix .. h[2] .. ':' .. a[at]
    h = run('HMGET', key, 's', 'n')
  end
  run('HSET', key, '~' .. a[at + 1], now + a[3])
  if not h[1] then run('PEXPIRE', key, a[4]) end
end
return 0`;

/**
 * Arguments: prefix, -1, the id under which values are added once, or '' to raise to them, then for each day of an org:
 * `DAY:ORG`, until when it is kept (0: only where it is known), model, capacity, the counters in the order of
 * USAGE_COUNTERS, how many kinds, then kind, calls and credits each.
 */
export const MERGE = `${BEGIN}${CHANGE}
local id = a[3]
if id ~= '' and not run('SET', prefix .. 'added:' .. id, '1', 'NX', 'PX', 86400000) then return 0 end
local function combine(old, value)
  if id ~= '' then return old + value end
  return math.max(old, value)
end
local at = 4
while at <= #a do
  local member, kept, model, kinds = a[at], a[at + 1], a[at + 2], a[at + 11]
  local key, v, made = prefix .. member, at + 3, 0
  if kept > 0 and run('HEXISTS', key, 's') == 0 then
    run('HSET', key, 's', pack('${STATE}', 0, 0, 0, 0, 0, 0, 0, a[v] + 1, 0, 1, model))
    run('PEXPIREAT', key, kept)
  end
  if run('HEXISTS', key, 's') == 1 then
    for kind = at + 12, at + 11 + kinds * 3, 3 do
      local field, calls, credits = '+' .. a[kind], 0, 0
      local packed = run('HGET', key, field)
      if packed then calls, credits = unpack('${OF_KIND}', packed) end
      made = made + run('HSET', key, field, pack('${OF_KIND}', combine(calls, a[kind + 1]),
        combine(credits, a[kind + 2])))
    end
    change(key, member, function(s)
      for counter = 1, 6 do s[counter] = combine(s[counter], a[v + counter]) end
      s[7], s[10] = math.max(s[7], a[v + 7]), s[10] + made
      if id == '' and model == 0 then s[11] = s[11] - s[11] % 2 end
    end)
  end
  at = at + 12 + kinds * 3
end
return 0`;

// A hash as numbers: the model, the counters in the order of USAGE_COUNTERS, then kind, calls and credits each.
const LIST = `
local function list(key)
  local hash, out = run('HGETALL', key), {}
  for at = 1, #hash, 2 do
    if hash[at] == 's' then
      local c, k, b, g, r, q, p, n, x, f, m = unpack('${STATE}', hash[at + 1])
      out = { m % 2, c, k, b, g, r, q, p }
    end
  end
  if #out == 0 then return out end
  for at = 1, #hash, 2 do
    if sub(hash[at], 1, 1) == '+' then
      local calls, credits = unpack('${OF_KIND}', hash[at + 1])
      out[#out + 1], out[#out + 2], out[#out + 3] = sub(hash[at], 2), calls, credits
    end
  end
  return out
end`;

/** Arguments: prefix, -1, limit. Returns for each day of an org `DAY:ORG` and its numbers; it is no longer marked. */
export const COLLECT = `${BEGIN}${LIST}
local dirty, draining = prefix .. 'dirty', prefix .. 'draining'
if run('EXISTS', draining) == 0 then
  if run('EXISTS', dirty) == 0 then return {} end
  run('RENAME', dirty, draining)
end
local out = {}
for _, member in ipairs(run('SRANDMEMBER', draining, a[3])) do
  local key = prefix .. member
  local packed = run('HGET', key, 's')
  if packed then
    local c, k, b, g, r, q, p, n, x, f, m = unpack('${STATE}', packed)
    run('HSET', key, 's', pack('${STATE}', c, k, b, g, r, q, p, n, x, f, m % 2))
    out[#out + 1] = member
    out[#out + 1] = list(key)
  else
    run('SREM', draining, member)
  end
end
return out`;

/** Arguments: prefix, now or -1, org, day. Returns its numbers, none when no call came, and the calls in flight. */
export const FIND = `${BEGIN}${LIST}
local key, flying = prefix .. a[4] .. ':' .. a[3], 0
local numbers, moved = list(key), run('HGET', key, 'n')
while moved do
  key = prefix .. moved .. ':' .. a[3]
  moved = run('HGET', key, 'n')
end
for _, expires in pairs(list_slots(key)) do
  if expires > now then flying = flying + 1 end
end
return { numbers, flying }`;
