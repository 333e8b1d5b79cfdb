// The Lua of calls. It restates src/domain/meter/decide-call.ts; a property test holds the two together.
import { BEGIN, CHANGE, EPOCH, EXPIRES, OF_KIND, OF_OTHER, OF_SHADOW, OTHER, SHADOW, STATE } from './script-parts.js';

/** How many arguments a call has, and how many doubles its answer. */
const CALL_ARGS = 7;
export const ANSWER_NUMBERS = 9;

/** First number of an answer. */
export const ANSWER = {
  allowed: 0,
  refusedByCredits: 1,
  refusedByConcurrency: 2,
  repeated: 3,
  reused: 4,
  unseeded: 5,
  shadowByCredits: 6,
  shadowByConcurrency: 7,
} as const;

/**
 * Arguments: prefix, now or -1, lease ms, ms that hashes are kept, the name of the day before, two days (name, start,
 * end), then for each call: org, call, kind, credits, flags (9 model + 3 enforce credits + enforce concurrency; 0 off,
 * 1 shadow, 2 on), capacity, concurrency (-1: no limit). Returns doubles: now, the day's position (0: none, and nothing
 * else), the epoch, then for each call: what, calls, credits, calls given back, credits given back, in flight, model,
 * capacity, capacity in the other unit (-1: none was seen).
 */
export const ACQUIRE = `${BEGIN}
local lease = a[3]
local day, start, ends, before
for at = 6, 9, 3 do
  if now >= a[at + 1] and now < a[at + 2] then
    day, start, ends, before = a[at], a[at + 1], a[at + 2], at == 6 and a[5] or a[6]
  end
end
if not day then return pack('<dd', now, 0) end${EPOCH}
local out = { pack('<ddd', now, day == a[6] and 1 or 2, epoch) }
local today = prefix .. day .. ':'

-- the calls in flight of the day before go on in this one
local function move_slots(org)
  local from = prefix .. before .. ':' .. org
  if run('EXISTS', from) == 0 then return end
  local expiries, slots = list_slots(from)
  for slot, expires in pairs(expiries) do
    run('HDEL', from, slot)
    if expires > now then
      local value = slots[slot]
      local credits, kind, mark = read_slot(value)
      if mark == '+' then value = sub(value, 1, 6) .. string.format('%.0f@', credits) .. before .. kind end
      run('HSET', today .. org, slot, value)
    end
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
  local h = run('HMGET', key, 's', kind, slot, '${OTHER}')
  local is_new = not h[1]
  if is_new and start < epoch then
    out[#out + 1] = pack('<ddddddddd', ${ANSWER.unseeded}, 0, 0, 0, 0, 0, 0, 0, 0)
  else
    local c, k, b, g, r, q, p, n, x, f, m = 0, 0, 0, 0, 0, 0, 0, number + 1, 0, 0, model
    if is_new then move_slots(org) else c, k, b, g, r, q, p, n, x, f, m = unpack('${STATE}', h[1]) end
    local d = m >= 2
    if d then m = m - 2 end
    local changed = is_new
    if x <= now then x, changed = drop_expired(key), true end
    local limit, other = number, h[4] and unpack('${OF_OTHER}', h[4]) or -1
    if m == model then
      if n ~= number + 1 then n, changed = number + 1, true end
      if number >= 0 and other > number then limit = other end
    elseif number < 0 then
      limit = -1
    else
      if other ~= number then
        f, other, changed = f + run('HSET', key, '${OTHER}', pack('${OF_OTHER}', number)), number, true
      end
      if n == 0 then limit = -1 elseif n - 1 > number then limit = n - 1 end
    end
    local flying = run('HLEN', key) - f
    local mode_credits, mode_concurrency = math.floor(flags % 9 / 3), flags % 3
    local over_credits = limit >= 0 and (m == 0 and c - b + 1 > limit or m == 1 and k - g + credits > limit)
    local over_concurrency = m == 1 and model == 1 and concurrency >= 0 and flying >= concurrency
    local what, held = 0, h[3]
    if is_new then held = run('HGET', key, slot) end
    if held and unpack('${EXPIRES}', held) > now then
      local price, of_kind = read_slot(held)
      what = price == credits and of_kind == a[at + 2] and ${ANSWER.repeated} or ${ANSWER.reused}
    elseif over_credits and mode_credits == 2 then what = ${ANSWER.refusedByCredits}
    elseif over_concurrency and mode_concurrency == 2 then what = ${ANSWER.refusedByConcurrency}
    elseif over_credits and mode_credits == 1 then what = ${ANSWER.shadowByCredits}
    elseif over_concurrency and mode_concurrency == 1 then what = ${ANSWER.shadowByConcurrency}
    end
    if is_new then f = 1 end
    if what > ${ANSWER.unseeded} then
      local packed, by_credits, by_concurrency = run('HGET', key, '${SHADOW}'), 0, 0
      if packed then by_credits, by_concurrency = unpack('${OF_SHADOW}', packed) else f = f + 1 end
      if what == ${ANSWER.shadowByCredits} then by_credits = by_credits + 1
      else by_concurrency = by_concurrency + 1 end
      run('HSET', key, '${SHADOW}', pack('${OF_SHADOW}', by_credits, by_concurrency))
    end
    if what == 0 or what > ${ANSWER.unseeded} then
      if not d then run('SADD', prefix .. 'dirty', day .. ':' .. org) end
      c, k, flying = c + 1, k + credits, flying + 1
      if flying > p then p = flying end
      if now + lease < x then x = now + lease end
      local calls, spent = 0, 0
      if h[2] then calls, spent = unpack('${OF_KIND}', h[2]) else f = f + 1 end
      run('HSET', key, 's', pack('${STATE}', c, k, b, g, r, q, p, n, x, f, m + 2),
        kind, pack('${OF_KIND}', calls + 1, spent + credits),
        slot, pack('${EXPIRES}', now + lease) .. string.format('%.0f+', credits) .. a[at + 2])
    elseif changed then
      run('HSET', key, 's', pack('${STATE}', c, k, b, g, r, q, p, n, x, f, d and m + 2 or m))
    end
    if is_new then run('PEXPIREAT', key, ends + a[4]) end
    out[#out + 1] = pack('<ddddddddd', what, c, k, b, g, flying, m, n - 1, other)
  end
end
return table.concat(out)`;

/**
 * Arguments: prefix, now or -1, count, then for each ended call: org, call, day, 1 where it is given back; then for
 * each refusal: org, day, by credits, by concurrency.
 */
export const RELEASE = `${BEGIN}${CHANGE}
local last = 3 + a[3] * 4
for at = 4, last, 4 do
  local org, slot, day, back = a[at], '~' .. a[at + 1], a[at + 2], a[at + 3] == 1
  local key = prefix .. day .. ':' .. org
  local held = back and run('HGET', key, slot)
  while run('HDEL', key, slot) == 0 do
    day = run('HGET', key, 'n')
    if not day then break end
    key = prefix .. day .. ':' .. org
    held = back and run('HGET', key, slot)
  end
  if held and unpack('${EXPIRES}', held) > now then
    local credits, kind, mark, charged = read_slot(held)
    if mark ~= '-' then
      charged = (charged or day) .. ':' .. org
      change(prefix .. charged, charged, function(v) v[3], v[4] = v[3] + 1, v[4] + credits end)
    end
  end
end
for at = last + 1, #a, 4 do
  local member = a[at + 1] .. ':' .. a[at]
  change(prefix .. member, member, function(v) v[5], v[6] = v[5] + a[at + 2], v[6] + a[at + 3] end)
end
return 0`;

/**
 * Arguments: prefix, now or -1, lease ms, ms that a hash without a state is kept, 1 where slots that are gone are
 * restored, then of each call: org, call, day, kind, credits.
 */
export const RENEW = `${BEGIN}
for at = 6, #a, 5 do
  local key, slot = prefix .. a[at + 2] .. ':' .. a[at], '~' .. a[at + 1]
  local h = run('HMGET', key, 's', 'n', slot)
  while h[2] do
    key = prefix .. h[2] .. ':' .. a[at]
    h = run('HMGET', key, 's', 'n', slot)
  end
  local charged
  if h[3] and unpack('${EXPIRES}', h[3]) > now then charged = sub(h[3], 7)
  else charged = string.format('%.0f', a[at + 4]) .. (a[5] == 1 and '@' .. a[at + 2] or '-') .. a[at + 3] end
  run('HSET', key, slot, pack('${EXPIRES}', now + a[3]) .. charged)
  if not h[1] then run('PEXPIRE', key, a[4]) end
end
return 0`;
