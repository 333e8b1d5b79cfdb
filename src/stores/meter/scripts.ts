// The Lua of the meter: each script does many calls, one after the other, and nothing comes in between. It restates
// src/domain/metering/decide-call.ts; a property test holds the two together. Redis's own clock picks the day.
//
// Keys, all with the prefix: `DAY:ORG` hash of counters · `l:ORG` sorted set of calls in flight by their expiry ·
// `dirty` and `draining` sets of `DAY:ORG` · `epoch`: when this Redis began to know anything · `added:ID`: what was
// added once.
// Fields of a hash: s the state, packed · r, q refused by credits, by concurrency (in shadow too) · +KIND its calls and
// credits, packed. Packed numbers are doubles: a tenth of the time that fields of their own take.
// The state: calls, credits, calls given back, credits given back, peak in flight, capacity (-1: no limit), model (0
// legacy, 1 credits), whether it is in `dirty`.
const STATE = '<ddddddBB';
const OF_KIND = '<dd';
/** Calls in flight that nobody renews or collects are forgotten after two days and an hour. */
const LEASES_KEPT_MS = 49 * 3_600_000;

const CLOCK = `
local now = tonumber(ARGV[2])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
end`;

const CHANGE = `
local function change(key, member, apply)
  local packed = redis.call('HGET', key, 's')
  if not packed then return false end
  local c, k, b, g, p, n, m, d = struct.unpack('${STATE}', packed)
  c, k, b, g, p, m = apply(c, k, b, g, p, m)
  if d == 0 then redis.call('SADD', ARGV[1] .. 'dirty', member) end
  redis.call('HSET', key, 's', struct.pack('${STATE}', c, k, b, g, p, n, m, 1))
  return true
end
local function keep(...) return ... end`;

/** How many arguments a call has, and how many numbers its answer. */
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
 * ARGV: prefix, now or '', lease ms, ms that hashes are kept, two days (name, start, end), then for each call: org,
 * call, kind, credits, flags (9 model + 3 enforce credits + enforce concurrency; 0 off, 1 shadow, 2 on), capacity,
 * concurrency (-1: no limit). Returns now, the day's position (0: none), then for each call: what, calls, credits,
 * calls given back, credits given back, in flight, model, capacity.
 */
export const ACQUIRE = `${CLOCK}
local run, pack, unpack = redis.call, struct.pack, struct.unpack
local prefix = ARGV[1]
local lease = tonumber(ARGV[3])
local out = { now, 0 }
local day, start, ends
for at = 5, 8, 3 do
  if now >= tonumber(ARGV[at + 1]) and now < tonumber(ARGV[at + 2]) then
    day, start, ends = ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
    out[2] = (at - 2) / 3
  end
end
if not day then return out end
local size = 2
for at = 11, #ARGV, ${CALL_ARGS} do
  local org, call, kind = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local credits, flags = tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
  local capacity, concurrency = tonumber(ARGV[at + 5]), tonumber(ARGV[at + 6])
  local model = flags >= 9 and 1 or 0
  local key, leases = prefix .. day .. ':' .. org, prefix .. 'l:' .. org
  local h = run('HMGET', key, 's', '+' .. kind)
  local is_new = not h[1]
  if is_new then
    local epoch = run('GET', prefix .. 'epoch')
    if not epoch then
      run('SET', prefix .. 'epoch', now)
      epoch = now
    end
    if start < tonumber(epoch) then model = -1 end
  end
  if model < 0 then
    out[size + 1] = ${ANSWER.unseeded}
    for skip = 2, ${ANSWER_NUMBERS} do out[size + skip] = 0 end
  else
    local c, k, b, g, p, n, m, d = 0, 0, 0, 0, 0, capacity, model, 0
    if h[1] then c, k, b, g, p, n, m, d = unpack('${STATE}', h[1]) end
    local number, limit = n, capacity
    if m == model then
      number = capacity
    elseif n < 0 or capacity < 0 then
      limit = -1
    elseif n > capacity then
      limit = n
    end
    local flying = run('ZCARD', leases)
    if flying > 0 then flying = flying - run('ZREMRANGEBYSCORE', leases, '-inf', now) end
    local mode_credits, mode_concurrency = math.floor(flags % 9 / 3), flags % 3
    local over_credits = limit >= 0 and (m == 0 and c - b + 1 > limit or m == 1 and k - g + credits > limit)
    local over_concurrency = m == 1 and model == 1 and concurrency >= 0 and flying >= concurrency
    local what = 0
    if over_credits and mode_credits == 2 then what = ${ANSWER.refusedByCredits}
    elseif over_concurrency and mode_concurrency == 2 then what = ${ANSWER.refusedByConcurrency}
    elseif over_credits and mode_credits == 1 then what = ${ANSWER.shadowByCredits}
    elseif over_concurrency and mode_concurrency == 1 then what = ${ANSWER.shadowByConcurrency}
    end
    local refused = what == 1 or what == 2
    if refused and run('ZSCORE', leases, call)
      or not refused and run('ZADD', leases, 'NX', now + lease, call) == 0 then
      what = ${ANSWER.repeated}
    end
    if not refused and what ~= ${ANSWER.repeated} then
      if what == ${ANSWER.shadowByCredits} then run('HINCRBY', key, 'r', 1)
      elseif what == ${ANSWER.shadowByConcurrency} then run('HINCRBY', key, 'q', 1)
      end
      if d == 0 then run('SADD', prefix .. 'dirty', day .. ':' .. org) end
      c, k, flying = c + 1, k + credits, flying + 1
      if flying > p then p = flying end
      local calls, spent = 0, 0
      if h[2] then calls, spent = unpack('${OF_KIND}', h[2]) end
      run('HSET', key, 's', pack('${STATE}', c, k, b, g, p, number, m, 1),
        '+' .. kind, pack('${OF_KIND}', calls + 1, spent + credits))
    elseif is_new or number ~= n then
      run('HSET', key, 's', pack('${STATE}', c, k, b, g, p, number, m, d))
    end
    if is_new then
      run('PEXPIREAT', key, ends + tonumber(ARGV[4]))
      run('PEXPIRE', leases, ${LEASES_KEPT_MS})
    end
    out[size + 1], out[size + 2], out[size + 3], out[size + 4] = what, c, k, b
    out[size + 5], out[size + 6], out[size + 7], out[size + 8] = g, flying, m, number
  end
  size = size + ${ANSWER_NUMBERS}
end
return out`;

/**
 * ARGV: prefix, now or '', count, then for each ended call: org, call, day, credits given back or ''; then for each
 * refusal: org, day, by credits, by concurrency.
 */
export const RELEASE = `${CLOCK}${CHANGE}
local prefix, ended = ARGV[1], tonumber(ARGV[3])
for at = 4, 3 + ended * 4, 4 do
  local org, call, day, back = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  local leases = prefix .. 'l:' .. org
  if back == '' then
    redis.call('ZREM', leases, call)
  else
    local expires = redis.call('ZSCORE', leases, call)
    redis.call('ZREM', leases, call)
    if expires and tonumber(expires) > now then
      local member = day .. ':' .. org
      change(prefix .. member, member, function(c, k, b, g, p, m) return c, k, b + 1, g + tonumber(back), p, m end)
    end
  end
end
for at = 4 + ended * 4, #ARGV, 4 do
  local member = ARGV[at + 1] .. ':' .. ARGV[at]
  if change(prefix .. member, member, keep) then
    redis.call('HINCRBY', prefix .. member, 'r', ARGV[at + 2])
    redis.call('HINCRBY', prefix .. member, 'q', ARGV[at + 3])
  end
end
return 0`;

/** ARGV: prefix, now or '', lease ms, then for each call: org, call. */
export const RENEW = `${CLOCK}
for at = 4, #ARGV, 2 do
  local leases = ARGV[1] .. 'l:' .. ARGV[at]
  redis.call('ZADD', leases, now + tonumber(ARGV[3]), ARGV[at + 1])
  redis.call('PEXPIRE', leases, ${LEASES_KEPT_MS})
end
return 0`;

/**
 * ARGV: prefix, the id under which values are added once, or '' to raise to them, then for each day of an org:
 * `DAY:ORG`, until when it is kept ('': only where it is known), model, capacity, the counters in the order of
 * USAGE_COUNTERS, how many kinds, then kind, calls and credits each.
 */
export const MERGE = `${CHANGE}
local id = ARGV[2]
if id ~= '' and not redis.call('SET', ARGV[1] .. 'added:' .. id, '1', 'NX', 'PX', 86400000) then return 0 end
local function combine(old, value)
  if id ~= '' then return old + value end
  return math.max(old, value)
end
local at = 3
while at <= #ARGV do
  local member, kept, model, capacity = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  local v = {}
  for counter = 1, 7 do v[counter] = tonumber(ARGV[at + 3 + counter]) end
  local kinds = tonumber(ARGV[at + 11])
  local key = ARGV[1] .. member
  if kept ~= '' and redis.call('EXISTS', key) == 0 then
    redis.call('HSET', key, 's', struct.pack('${STATE}', 0, 0, 0, 0, 0, capacity, model, 0))
    redis.call('PEXPIREAT', key, kept)
  end
  if change(key, member, function(c, k, b, g, p, m)
    if id == '' then m = math.min(m, model) end
    return combine(c, v[1]), combine(k, v[2]), combine(b, v[3]), combine(g, v[4]), math.max(p, v[7]), m
  end) then
    local refused = redis.call('HMGET', key, 'r', 'q')
    if v[5] > 0 then redis.call('HSET', key, 'r', combine(tonumber(refused[1] or 0), v[5])) end
    if v[6] > 0 then redis.call('HSET', key, 'q', combine(tonumber(refused[2] or 0), v[6])) end
    for kind = at + 12, at + 11 + kinds * 3, 3 do
      local field, calls, credits = '+' .. ARGV[kind], 0, 0
      local packed = redis.call('HGET', key, field)
      if packed then calls, credits = struct.unpack('${OF_KIND}', packed) end
      redis.call('HSET', key, field, struct.pack('${OF_KIND}', combine(calls, tonumber(ARGV[kind + 1])),
        combine(credits, tonumber(ARGV[kind + 2]))))
    end
  end
  at = at + 12 + kinds * 3
end
return 0`;

/** A hash as numbers: the model, the counters in the order of USAGE_COUNTERS, then kind, calls and credits each. */
const LIST = `
local function list(key)
  local hash = redis.call('HGETALL', key)
  local out = {}
  for at = 1, #hash, 2 do
    local field, value = hash[at], hash[at + 1]
    if field == 's' then
      local c, k, b, g, p, n, m, d = struct.unpack('${STATE}', value)
      out[1], out[2], out[3], out[4], out[5], out[8] = m, c, k, b, g, p
      out[6], out[7] = out[6] or 0, out[7] or 0
    elseif field == 'r' then out[6] = tonumber(value)
    elseif field == 'q' then out[7] = tonumber(value)
    end
  end
  for at = 1, #hash, 2 do
    if string.sub(hash[at], 1, 1) == '+' then
      local calls, credits = struct.unpack('${OF_KIND}', hash[at + 1])
      out[#out + 1], out[#out + 2], out[#out + 3] = string.sub(hash[at], 2), calls, credits
    end
  end
  return out
end`;

/** ARGV: prefix, limit. Returns for each day of an org `DAY:ORG` and its numbers; it is no longer marked. */
export const COLLECT = `${LIST}
local dirty, draining = ARGV[1] .. 'dirty', ARGV[1] .. 'draining'
if redis.call('EXISTS', draining) == 0 then
  if redis.call('EXISTS', dirty) == 0 then return {} end
  redis.call('RENAME', dirty, draining)
end
local out = {}
for _, member in ipairs(redis.call('SRANDMEMBER', draining, ARGV[2])) do
  local key = ARGV[1] .. member
  local packed = redis.call('HGET', key, 's')
  if packed then
    local c, k, b, g, p, n, m = struct.unpack('${STATE}', packed)
    redis.call('HSET', key, 's', struct.pack('${STATE}', c, k, b, g, p, n, m, 0))
    redis.call('PEXPIRE', ARGV[1] .. 'l:' .. string.sub(member, 12), ${LEASES_KEPT_MS})
    out[#out + 1] = member
    out[#out + 1] = list(key)
  else
    redis.call('SREM', draining, member)
  end
end
return out`;

/** ARGV: prefix, now or '', org, day. Returns its numbers, none when no call came, and how many calls are in flight. */
export const FIND = `${CLOCK}${LIST}
return { list(ARGV[1] .. ARGV[4] .. ':' .. ARGV[3]),
  redis.call('ZCOUNT', ARGV[1] .. 'l:' .. ARGV[3], '(' .. string.format('%.0f', now), '+inf') }`;
