// The Lua of the meter: each script does many calls, one after the other, and nothing comes in between. It restates
// src/domain/metering/decide-call.ts; a property test holds the two together. Redis's own clock picks the day.
//
// Keys, all with the prefix: `DAY:ORG` hash of counters · `l:ORG` sorted set of calls in flight by their expiry ·
// `dirty` and `draining` sets of `DAY:ORG` · `epoch`: when this Redis began to know anything. Fields of a hash: m
// model (0 legacy, 1 credits) · n capacity (-1: no limit) · c calls · k credits · b calls given back · g credits given
// back · r, q refused by credits, concurrency (in shadow too) · p peak in flight · d in `dirty` · +KIND calls, -KIND
// credits.

/** Fields of the counters, in the order of USAGE_COUNTERS. */
export const COUNTER_FIELDS = ['c', 'k', 'b', 'g', 'r', 'q', 'p'] as const;

const CLOCK = `
local now = tonumber(ARGV[2])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
end`;

const MARK = `
local function mark(key, member)
  if redis.call('HSETNX', key, 'd', '1') == 1 then redis.call('SADD', ARGV[1] .. 'dirty', member) end
end`;

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
  local h = redis.call('HMGET', key, 'm', 'n', 'c', 'k', 'b', 'g', 'p', 'd', '+' .. kind, '-' .. kind)
  local is_new = not h[1]
  if is_new then
    local epoch = redis.call('GET', prefix .. 'epoch')
    if not epoch then
      redis.call('SET', prefix .. 'epoch', now)
      epoch = now
    end
    if start < tonumber(epoch) then model = -1 end
  end
  if model < 0 then
    out[size + 1] = ${ANSWER.unseeded}
    for skip = 2, ${ANSWER_NUMBERS} do out[size + skip] = 0 end
  else
    local of_day, number = tonumber(h[1] or model), tonumber(h[2] or capacity)
    local limit = capacity
    if of_day == model then
      number = capacity
    elseif number < 0 or capacity < 0 then
      limit = -1
    elseif number > capacity then
      limit = number
    end
    local c, k, b, g = tonumber(h[3] or 0), tonumber(h[4] or 0), tonumber(h[5] or 0), tonumber(h[6] or 0)
    redis.call('ZREMRANGEBYSCORE', leases, '-inf', now)
    local flying = redis.call('ZCARD', leases)
    local mode_credits, mode_concurrency = math.floor(flags % 9 / 3), flags % 3
    local over_credits = limit >= 0
      and (of_day == 0 and c - b + 1 > limit or of_day == 1 and k - g + credits > limit)
    local over_concurrency = of_day == 1 and model == 1 and concurrency >= 0 and flying >= concurrency
    local what = 0
    if over_credits and mode_credits == 2 then what = ${ANSWER.refusedByCredits}
    elseif over_concurrency and mode_concurrency == 2 then what = ${ANSWER.refusedByConcurrency}
    elseif over_credits and mode_credits == 1 then what = ${ANSWER.shadowByCredits}
    elseif over_concurrency and mode_concurrency == 1 then what = ${ANSWER.shadowByConcurrency}
    end
    local refused = what == 1 or what == 2
    if refused and redis.call('ZSCORE', leases, call)
      or not refused and redis.call('ZADD', leases, 'NX', now + lease, call) == 0 then
      what = ${ANSWER.repeated}
    end
    local set = { 'HSET', key, 'm', of_day, 'n', number }
    local fields = 6
    local function put(field, value)
      set[fields + 1], set[fields + 2] = field, value
      fields = fields + 2
    end
    if not refused and what ~= ${ANSWER.repeated} then
      if what == ${ANSWER.shadowByCredits} then redis.call('HINCRBY', key, 'r', 1)
      elseif what == ${ANSWER.shadowByConcurrency} then redis.call('HINCRBY', key, 'q', 1)
      end
      if not h[8] then
        put('d', '1')
        redis.call('SADD', prefix .. 'dirty', day .. ':' .. org)
      end
      c, k, flying = c + 1, k + credits, flying + 1
      put('c', c)
      put('k', k)
      put('+' .. kind, tonumber(h[9] or 0) + 1)
      put('-' .. kind, tonumber(h[10] or 0) + credits)
      if flying > tonumber(h[7] or 0) then put('p', flying) end
      if is_new or flying == 1 then redis.call('PEXPIRE', leases, ${49 * 3_600_000}) end
    end
    if fields > 6 or h[1] ~= tostring(of_day) or h[2] ~= tostring(number) then redis.call(unpack(set)) end
    if is_new then redis.call('PEXPIREAT', key, ends + tonumber(ARGV[4])) end
    out[size + 1], out[size + 2], out[size + 3], out[size + 4] = what, c, k, b
    out[size + 5], out[size + 6], out[size + 7], out[size + 8] = g, flying, of_day, number
  end
  size = size + ${ANSWER_NUMBERS}
end
return out`;

/**
 * ARGV: prefix, now or '', count, then for each ended call: org, call, day, credits given back or ''; then for each
 * refusal: org, day, by credits, by concurrency.
 */
export const RELEASE = `${CLOCK}${MARK}
local prefix, ended = ARGV[1], tonumber(ARGV[3])
for at = 4, 3 + ended * 4, 4 do
  local org, call, day, back = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  local leases = prefix .. 'l:' .. org
  if back == '' then
    redis.call('ZREM', leases, call)
  else
    local expires = redis.call('ZSCORE', leases, call)
    redis.call('ZREM', leases, call)
    local key = prefix .. day .. ':' .. org
    if expires and tonumber(expires) > now and redis.call('EXISTS', key) == 1 then
      redis.call('HINCRBY', key, 'b', 1)
      redis.call('HINCRBY', key, 'g', back)
      mark(key, day .. ':' .. org)
    end
  end
end
for at = 4 + ended * 4, #ARGV, 4 do
  local member = ARGV[at + 1] .. ':' .. ARGV[at]
  local key = prefix .. member
  if redis.call('EXISTS', key) == 1 then
    redis.call('HINCRBY', key, 'r', ARGV[at + 2])
    redis.call('HINCRBY', key, 'q', ARGV[at + 3])
    mark(key, member)
  end
end
return 0`;

/** ARGV: prefix, now or '', lease ms, then for each call: org, call. */
export const RENEW = `${CLOCK}
for at = 4, #ARGV, 2 do
  local leases = ARGV[1] .. 'l:' .. ARGV[at]
  redis.call('ZADD', leases, now + tonumber(ARGV[3]), ARGV[at + 1])
  redis.call('PEXPIRE', leases, ${49 * 3_600_000})
end
return 0`;

/**
 * ARGV: prefix, the id under which values are added once, or '' to raise to them, then for each day of an org:
 * `DAY:ORG`, until when it is kept ('': only where it is known), model, capacity, how many fields, then field and
 * value each.
 */
export const MERGE = `${MARK}
local id = ARGV[2]
if id ~= '' and not redis.call('SET', ARGV[1] .. 'added:' .. id, '1', 'NX', 'PX', 86400000) then
  return 0
end
local at = 3
while at <= #ARGV do
  local member, kept, model, capacity = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  local last = at + 4 + 2 * tonumber(ARGV[at + 4])
  local key = ARGV[1] .. member
  local known = redis.call('HGET', key, 'm')
  if known or kept ~= '' then
    if not known then redis.call('HSET', key, 'm', model, 'n', capacity)
    elseif model == '0' and id == '' then redis.call('HSET', key, 'm', 0)
    end
    for field = at + 5, last, 2 do
      local name, value = ARGV[field], tonumber(ARGV[field + 1])
      local old = tonumber(redis.call('HGET', key, name) or 0)
      if id ~= '' and name ~= 'p' then redis.call('HSET', key, name, old + value)
      elseif value > old then redis.call('HSET', key, name, value)
      end
    end
    if not known then redis.call('PEXPIREAT', key, kept) end
    mark(key, member)
  end
  at = last + 1
end
return 0`;

/** ARGV: prefix, limit. Returns for each day of an org `DAY:ORG` and its hash, which is no longer marked. */
export const COLLECT = `
local dirty, draining = ARGV[1] .. 'dirty', ARGV[1] .. 'draining'
if redis.call('EXISTS', draining) == 0 then
  if redis.call('EXISTS', dirty) == 0 then return {} end
  redis.call('RENAME', dirty, draining)
end
local out = {}
for _, member in ipairs(redis.call('SRANDMEMBER', draining, ARGV[2])) do
  local key = ARGV[1] .. member
  redis.call('HDEL', key, 'd')
  local hash = redis.call('HGETALL', key)
  if #hash == 0 then
    redis.call('SREM', draining, member)
  else
    out[#out + 1] = member
    out[#out + 1] = hash
  end
end
return out`;

/** ARGV: prefix, now or '', org, day. Returns the hash and how many calls are in flight. */
export const FIND = `${CLOCK}
return { redis.call('HGETALL', ARGV[1] .. ARGV[4] .. ':' .. ARGV[3]),
  redis.call('ZCOUNT', ARGV[1] .. 'l:' .. ARGV[3], '(' .. string.format('%.0f', now), '+inf') }`;
