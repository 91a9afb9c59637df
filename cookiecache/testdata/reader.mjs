// A second reader of the format of docs/cookiecache.md, for Node.js:
//   node reader.mjs vectors.json
// It opens every vector and ends with status 1 at the first that differs.
import { createCipheriv, createDecipheriv, createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { inflateRawSync } from 'node:zlib'

const epoch2000 = 946684800
const u32 = n => { const b = Buffer.alloc(4); b.writeUInt32BE(n); return b }
const sized = b => Buffer.concat([u32(b.length), b])

function subkey (secret, algorithm, name) {
  const info = Buffer.from(`ashlar/cookiecache/v1\0${algorithm}\0${name}`)
  return Buffer.from(hkdfSync('sha256', secret, Buffer.alloc(0), info, 32))
}

// XAES-256-GCM: the first half of the nonce makes the key (CMAC, one block each).
function xaesKey (key, half) {
  const aes = b => createCipheriv('aes-256-ecb', key, null).setAutoPadding(false).update(b)
  const l = BigInt('0x' + aes(Buffer.alloc(16)).toString('hex'))
  const k1 = BigInt.asUintN(128, l << 1n) ^ (l >> 127n) * 0x87n
  const part = i => {
    const m = BigInt('0x' + Buffer.concat([Buffer.from([0, i, 0x58, 0]), half]).toString('hex'))
    return aes(Buffer.from((m ^ k1).toString(16).padStart(32, '0'), 'hex'))
  }
  return Buffer.concat([part(1), part(2)])
}

// HChaCha20 (draft-irtf-cfrg-xchacha): the first 16 bytes of the nonce make the key.
function hchacha20 (key, nonce) {
  const s = new Uint32Array([0x61707865, 0x3320646e, 0x79622d32, 0x6b206574])
  const x = new Uint32Array(16)
  x.set(s)
  for (let i = 0; i < 8; i++) x[4 + i] = key.readUInt32LE(4 * i)
  for (let i = 0; i < 4; i++) x[12 + i] = nonce.readUInt32LE(4 * i)
  const turn = (a, b, n) => { x[a] ^= x[b]; x[a] = x[a] << n | x[a] >>> 32 - n }
  const quarter = (a, b, c, d) => {
    x[a] += x[b]; turn(d, a, 16); x[c] += x[d]; turn(b, c, 12)
    x[a] += x[b]; turn(d, a, 8); x[c] += x[d]; turn(b, c, 7)
  }
  for (let i = 0; i < 10; i++) {
    for (let j = 0; j < 4; j++) quarter(j, 4 + j, 8 + j, 12 + j)
    for (let j = 0; j < 4; j++) quarter(j, 4 + (j + 1) % 4, 8 + (j + 2) % 4, 12 + (j + 3) % 4)
  }
  const out = Buffer.alloc(32)
  for (let i = 0; i < 4; i++) { out.writeUInt32LE(x[i], 4 * i); out.writeUInt32LE(x[12 + i], 16 + 4 * i) }
  return out
}

function aead (cipher, key, nonce, body, aad) {
  const d = createDecipheriv(cipher, key, nonce, { authTagLength: 16 })
  d.setAAD(aad, { plaintextLength: body.length - 16 })
  d.setAuthTag(body.subarray(-16))
  return Buffer.concat([d.update(body.subarray(0, -16)), d.final()])
}

export function open (cookies, name, { secret, keyID, algorithm, host, bind }) {
  const first = cookies[name]
  const count = (Buffer.from(first.slice(0, 4), 'base64url')[0] & 3) + 1
  let wire = first
  for (let i = 1; i < count; i++) {
    const piece = cookies[`${name}.${i}`]
    if (piece.slice(0, 8) !== first.slice(16, 24)) throw new Error('another generation')
    wire += piece.slice(8)
  }
  const raw = Buffer.from(wire, 'base64url')
  if (raw.toString('base64url') !== wire) throw new Error('not canonical')
  const flags = raw[0]
  if (flags >> 5 !== 1 || raw[1] !== keyID) throw new Error('version or key')
  const key = subkey(secret, algorithm, name)
  const aad = Buffer.concat([raw.subarray(0, 2), sized(Buffer.from(name)), sized(Buffer.from(host)), sized(bind)])
  let text
  if (algorithm === 'hmac-sha256') {
    text = raw.subarray(34)
    const tag = createHmac('sha256', key).update(aad).update(text).digest()
    if (!timingSafeEqual(tag, raw.subarray(2, 34))) throw new Error('not authentic')
  } else {
    const nonce = Buffer.concat([raw.subarray(2, 10), Buffer.from('ash\x01'), raw.subarray(10, 22)])
    text = algorithm === 'xaes-256-gcm'
      ? aead('aes-256-gcm', xaesKey(key, nonce.subarray(0, 12)), nonce.subarray(12), raw.subarray(22), aad)
      : aead('chacha20-poly1305', hchacha20(key, nonce.subarray(0, 16)), Buffer.concat([Buffer.alloc(4), nonce.subarray(16)]), raw.subarray(22), aad)
  }
  const issued = text.readUInt32BE(text.length - 8) + epoch2000
  const renewed = text.readUInt32BE(text.length - 4) + epoch2000
  const epoch = flags & 4 ? text.readUInt32BE(text.length - 12) : 0
  let value = text.subarray(0, text.length - (flags & 4 ? 12 : 8))
  if (flags & 16) value = value.subarray(0, value.lastIndexOf(0x80))
  if (flags & 8) value = inflateRawSync(value, { maxOutputLength: 65536 })
  return { value, issued, renewed, epoch, count }
}

const vectors = JSON.parse(readFileSync(process.argv[2]))
for (const v of vectors) {
  const hex = s => Buffer.from(s, 'hex')
  const got = open(v.cookies, v.name, { secret: hex(v.secret), keyID: v.key_id, algorithm: v.algorithm, host: v.host, bind: hex(v.bind) })
  if (got.value.toString('hex') !== v.value || got.issued !== v.issued || got.renewed !== v.renewed || got.epoch !== v.epoch || got.count !== Object.keys(v.cookies).length) {
    console.error(v.algorithm, v.comment, got)
    process.exit(1)
  }
}
console.log(`${vectors.length} vectors opened`)
