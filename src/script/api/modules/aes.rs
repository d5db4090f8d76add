//! AES, under `resty.aes`.

use aes::cipher::generic_array::GenericArray;
use aes::cipher::{BlockDecrypt, BlockEncrypt, KeyInit};
use aes::{Aes128, Aes192, Aes256};
use aes_gcm::aead::consts::U12;
use aes_gcm::{AeadInPlace, AesGcm};
use mlua::{Lua, LuaString, MultiValue, Table, Value};

use super::super::arguments::{refusal, string};
use super::hash;

const BLOCK: usize = 16;

/// `{ derive = …, encrypt = …, decrypt = … }`.
pub fn natives(lua: &Lua) -> mlua::Result<Value> {
    let natives = lua.create_table()?;
    natives.raw_set("derive", lua.create_function(derive)?)?;
    natives.raw_set("encrypt", lua.create_function(encrypt)?)?;
    natives.raw_set("decrypt", lua.create_function(decrypt)?)?;
    Ok(Value::Table(natives))
}

/// Rounds of hashing that a key may take: more would stop the worker.
const MOST_ROUNDS: u32 = 100_000;

/// OpenSSL's `EVP_BytesToKey`: digest, text, salt, rounds, bytes of the key; the key and 16 bytes of
/// IV.
fn derive(
    lua: &Lua,
    (name, text, salt, rounds, size): (String, LuaString, Option<LuaString>, u32, usize),
) -> mlua::Result<MultiValue> {
    let Some(mut digest) = hash::digest(&name) else { return refusal(lua, "no such digest") };
    if rounds > MOST_ROUNDS || size > 64 {
        return refusal(lua, "failed to generate key and iv");
    }
    let (mut made, mut last) = (Vec::new(), Vec::new());
    while made.len() < size + BLOCK {
        digest.update(&last);
        digest.update(&text.as_bytes());
        if let Some(salt) = &salt {
            digest.update(&salt.as_bytes());
        }
        last = digest.finalize_reset().into_vec();
        for _ in 1..rounds {
            digest.update(&last);
            last = digest.finalize_reset().into_vec();
        }
        made.extend_from_slice(&last);
    }
    let (key, rest) = made.split_at_checked(size).unwrap_or_default();
    let iv = rest.get(..BLOCK).unwrap_or_default();
    Ok(MultiValue::from_vec(vec![string(lua, key)?, string(lua, iv)?]))
}

/// What is to be done with which key.
struct Job {
    mode: String,
    cipher: Cipher,
    key: Vec<u8>,
    iv: Vec<u8>,
    padded: bool,
    /// What is authenticated besides.
    besides: Vec<u8>,
    tag: Option<Vec<u8>>,
}

enum Cipher {
    Aes128(Box<Aes128>),
    Aes192(Box<Aes192>),
    Aes256(Box<Aes256>),
}

impl Cipher {
    fn new(key: &[u8]) -> Option<Self> {
        Some(match key.len() {
            16 => Self::Aes128(Box::new(Aes128::new_from_slice(key).ok()?)),
            24 => Self::Aes192(Box::new(Aes192::new_from_slice(key).ok()?)),
            32 => Self::Aes256(Box::new(Aes256::new_from_slice(key).ok()?)),
            _ => return None,
        })
    }

    fn encrypt(&self, block: &mut [u8; BLOCK]) {
        let block = GenericArray::from_mut_slice(block);
        match self {
            Self::Aes128(cipher) => cipher.encrypt_block(block),
            Self::Aes192(cipher) => cipher.encrypt_block(block),
            Self::Aes256(cipher) => cipher.encrypt_block(block),
        }
    }

    fn decrypt(&self, block: &mut [u8; BLOCK]) {
        let block = GenericArray::from_mut_slice(block);
        match self {
            Self::Aes128(cipher) => cipher.decrypt_block(block),
            Self::Aes192(cipher) => cipher.decrypt_block(block),
            Self::Aes256(cipher) => cipher.decrypt_block(block),
        }
    }
}

impl Job {
    /// From a table of `mode`, `key`, `iv`, `padded`, `aad`, `tag`.
    fn new(table: &Table) -> mlua::Result<Option<Self>> {
        let bytes = |name: &str| -> mlua::Result<Option<Vec<u8>>> {
            Ok(table.get::<Option<LuaString>>(name)?.map(|text| text.as_bytes().to_vec()))
        };
        let key = bytes("key")?.unwrap_or_default();
        let Some(cipher) = Cipher::new(&key) else { return Ok(None) };
        let mut iv = bytes("iv")?.unwrap_or_default();
        let mode: String = table.get("mode")?;
        if mode != "gcm" {
            iv.resize(BLOCK, 0);
        }
        Ok(Some(Self {
            mode,
            cipher,
            key,
            iv,
            padded: table.get("padded")?,
            besides: bytes("aad")?.unwrap_or_default(),
            tag: bytes("tag")?,
        }))
    }

    fn chain(&self) -> [u8; BLOCK] {
        self.iv.first_chunk().copied().unwrap_or_default()
    }

    /// Encrypts in place blocks that are whole, chained by `mode`.
    fn blocks(&self, data: &mut [u8], encrypts: bool) {
        let mut chain = self.chain();
        for piece in data.as_chunks_mut::<BLOCK>().0 {
            let before = *piece;
            match (self.mode.as_str(), encrypts) {
                ("cbc", true) => {
                    mix(piece, &chain);
                    self.cipher.encrypt(piece);
                    chain = *piece;
                }
                ("cbc", false) => {
                    self.cipher.decrypt(piece);
                    mix(piece, &chain);
                    chain = before;
                }
                (_, true) => self.cipher.encrypt(piece),
                (_, false) => self.cipher.decrypt(piece),
            }
        }
    }

    /// The modes that make a stream: the same both ways, but for what `cfb` goes on with.
    fn stream(&self, data: &mut [u8], encrypts: bool) {
        let mut chain = self.chain();
        for piece in data.chunks_mut(BLOCK) {
            let before = piece.to_vec();
            let mut pad = chain;
            self.cipher.encrypt(&mut pad);
            mix(piece, &pad);
            match self.mode.as_str() {
                "ctr" => chain = u128::from_be_bytes(chain).wrapping_add(1).to_be_bytes(),
                "ofb" => chain = pad,
                _ => {
                    let sent = if encrypts { &*piece } else { &before };
                    if let Some(sent) = sent.first_chunk() {
                        chain = *sent;
                    }
                }
            }
        }
    }
}

fn mix(data: &mut [u8], with: &[u8; BLOCK]) {
    for (byte, with) in data.iter_mut().zip(with) {
        *byte ^= with;
    }
}

fn encrypt(lua: &Lua, (table, text): (Table, LuaString)) -> mlua::Result<MultiValue> {
    let Some(job) = Job::new(&table)? else { return refusal(lua, "bad key length") };
    let mut data = text.as_bytes().to_vec();
    match job.mode.as_str() {
        "cbc" | "ecb" => {
            if job.padded {
                let missing = BLOCK - data.len() % BLOCK;
                data.resize(data.len() + missing, missing as u8);
            } else if !data.len().is_multiple_of(BLOCK) {
                return refusal(lua, "EVP_EncryptFinal_ex failed");
            }
            job.blocks(&mut data, true);
        }
        "gcm" => {
            let Some(tag) = seal(&job, &mut data) else {
                return refusal(lua, "EVP_EncryptFinal_ex failed");
            };
            return Ok(MultiValue::from_vec(vec![string(lua, data)?, string(lua, tag)?]));
        }
        _ => job.stream(&mut data, true),
    }
    Ok(MultiValue::from_vec(vec![string(lua, data)?]))
}

fn decrypt(lua: &Lua, (table, text): (Table, LuaString)) -> mlua::Result<MultiValue> {
    let Some(job) = Job::new(&table)? else { return refusal(lua, "bad key length") };
    let mut data = text.as_bytes().to_vec();
    let plain = match job.mode.as_str() {
        "cbc" | "ecb" => {
            let whole = data.len().is_multiple_of(BLOCK);
            job.blocks(&mut data, false);
            if job.padded { unpadded(&data).filter(|_| whole) } else { whole.then_some(data.len()) }
        }
        "gcm" => open(&job, &mut data).then_some(data.len()),
        _ => {
            job.stream(&mut data, false);
            Some(data.len())
        }
    };
    match plain.and_then(|length| data.get(..length)) {
        Some(plain) => Ok(MultiValue::from_vec(vec![string(lua, plain)?])),
        None => refusal(lua, "EVP_DecryptFinal_ex failed"),
    }
}

/// How long the text is before its padding, if that is right.
fn unpadded(data: &[u8]) -> Option<usize> {
    let padding = usize::from(*data.last()?);
    let length = data.len().checked_sub(padding)?;
    let right = (1..=BLOCK).contains(&padding)
        && data.get(length..)?.iter().all(|byte| usize::from(*byte) == padding);
    right.then_some(length)
}

fn seal(job: &Job, data: &mut [u8]) -> Option<Vec<u8>> {
    let iv: &[u8; 12] = job.iv.as_slice().try_into().ok()?;
    let (iv, besides) = (iv.into(), job.besides.as_slice());
    let tag = match job.key.len() {
        16 => AesGcm::<Aes128, U12>::new_from_slice(&job.key)
            .ok()?
            .encrypt_in_place_detached(iv, besides, data),
        24 => AesGcm::<Aes192, U12>::new_from_slice(&job.key)
            .ok()?
            .encrypt_in_place_detached(iv, besides, data),
        _ => AesGcm::<Aes256, U12>::new_from_slice(&job.key)
            .ok()?
            .encrypt_in_place_detached(iv, besides, data),
    };
    tag.ok().map(|tag| tag.to_vec())
}

fn open(job: &Job, data: &mut [u8]) -> bool {
    let mut opened = || {
        let iv: &[u8; 12] = job.iv.as_slice().try_into().ok()?;
        let tag: &[u8; 16] = job.tag.as_deref()?.try_into().ok()?;
        let (iv, tag, besides) = (iv.into(), tag.into(), job.besides.as_slice());
        let opened = match job.key.len() {
            16 => AesGcm::<Aes128, U12>::new_from_slice(&job.key)
                .ok()?
                .decrypt_in_place_detached(iv, besides, data, tag),
            24 => AesGcm::<Aes192, U12>::new_from_slice(&job.key)
                .ok()?
                .decrypt_in_place_detached(iv, besides, data, tag),
            _ => AesGcm::<Aes256, U12>::new_from_slice(&job.key)
                .ok()?
                .decrypt_in_place_detached(iv, besides, data, tag),
        };
        opened.ok()
    };
    opened().is_some()
}
