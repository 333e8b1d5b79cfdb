// What the Lua of the meter has in common. Each script does many calls, one after the other, and nothing comes in
// between. Redis's own clock picks the day.
//
// Keys, all with the prefix: `DAY:ORG` hash · `dirty`, `draining` and `collected` sets of `DAY:ORG` · `epoch`: when
// this Redis began to know anything · `added:ID`: what was added once.
// Fields of a hash: s the state, packed · +KIND its calls and credits, packed · ~CALL the slot of a call in flight ·
// n the day to which its calls in flight were moved · t what it was told, packed: the first six counters · w what
// shadow let through, packed: by credits, by concurrency · o the last number in the other unit, packed, of a day on
// which the model of its org changed; both apart, since few have them and older meters do not know them. One hash
// instead of several keys, below the size at which Redis gives up its compact form, and packed numbers: half the time
// and half the memory of keys and fields of their own.
// A slot: when it expires, packed, then as text its credits, a mark and its kind. Marks: + the credits may be given
// back, to the day of its hash · @ to the day that follows · - they may not.
// The state: calls, credits, calls given back, credits given back, refused by credits, refused by concurrency, peak in
// flight, capacity + 1 (0: no limit), a time before which no slot expires, how many fields are no slots, model (0
// legacy, 1 credits) + 2 where it is in `dirty`.
//
// The one argument of a script is JSON: Redis reads it faster than as many arguments, and so is it written.
export const STATE = '<I7I7I7I7I7I7I3I7I6I2B';
export const OF_KIND = '<I7I7';
export const TOLD = '<I7I7I7I7I7I7';
/** Its field, and its form. */
export const SHADOW = 'w';
export const OF_SHADOW = '<I7I7';
/** The field of the last number in the other unit of a day whose model changed, and its form. */
export const OTHER = 'o';
export const OF_OTHER = '<I7';
/** What a slot begins with: when it expires. */
export const EXPIRES = '<I6';
/** `a`: the arguments, from 1 on: prefix, now or -1, …; `now` in ms. */
export const BEGIN = `
local run, pack, unpack, sub = redis.call, struct.pack, struct.unpack, string.sub
local a = cjson.decode(ARGV[1])
local prefix, now = a[1], a[2]
if now < 0 then
  local t = run('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
end
local function list_slots(key)
  local hash, expiries, slots = run('HGETALL', key), {}, {}
  for at = 1, #hash, 2 do
    local field = hash[at]
    if sub(field, 1, 1) == '~' then expiries[field], slots[field] = unpack('${EXPIRES}', hash[at + 1]), hash[at + 1] end
  end
  return expiries, slots
end
local function read_slot(slot)
  local credits, mark, rest = string.match(slot, '^(%d+)([-+@])(.*)$', 7)
  if mark == '@' then return tonumber(credits), sub(rest, 11), mark, sub(rest, 1, 10) end
  return tonumber(credits), rest, mark
end`;

/** When this Redis began; the first to ask begins. */
export const EPOCH = `
local epoch = run('GET', prefix .. 'epoch')
if not epoch then
  run('SET', prefix .. 'epoch', now)
  epoch = now
end
epoch = tonumber(epoch)`;

/** Applies a change to the state of a day, which is `dirty` from then on; false: there is none. */
export const CHANGE = `
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
