# SPDX-License-Identifier: Apache-2.0
"""Writes safetensors_cases.json: small files, good and hostile, and whether the `safetensors`
package opens them. src/formats/safetensors_test.c demands the same verdict of our reader.

    python tests/golden/make_safetensors_cases.py        (needs: numpy, safetensors)
"""
import json
import os
import random
import struct

import safetensors


def pack(header, data=b"", length=None):
    raw = header if isinstance(header, bytes) else header.encode("utf-8", "surrogatepass")
    return struct.pack("<Q", len(raw) if length is None else length) + raw + data


def tensor(dtype="F32", shape="[1,2]", begin=0, end=8, extra=""):
    return f'{{"dtype":"{dtype}","shape":{shape},"data_offsets":[{begin},{end}]{extra}}}'


def one(**kwargs):
    return '{"a":' + tensor(**kwargs) + "}"


Z8, Z16 = bytes(8), bytes(range(16))
BIG = (1 << 64) - 1


def cases():
    c = {}
    good = '{"a":{"dtype":"F32","shape":[1,2,3],"data_offsets":[0,24]}}     '
    c["minimal"] = pack(good, bytes(24))
    c["empty object"] = pack("{}")
    c["padded"] = pack("{}      ")
    c["padded by newline"] = pack("{}\n\n\t ")
    c["padded by NUL"] = pack("{}\0\0")
    c["leading space"] = pack(" {}")
    c["leading byte order mark"] = pack(b"\xef\xbb\xbf{}")
    c["empty file"] = b""
    for n in range(1, 9):
        c[f"{n} bytes"] = bytes(n)
    c["no header bytes"] = struct.pack("<Q", 2)
    c["header one byte short"] = pack("{}", length=3)
    c["header length huge"] = pack("{}", length=BIG)
    c["header length 2^63"] = pack("{}", length=1 << 63)
    c["header length over the limit"] = pack("{}", length=100_000_001)
    c["header length at the limit"] = pack("{}", length=100_000_000)
    c["trailing byte"] = pack(good, bytes(25))
    c["data one byte short"] = pack(good, bytes(23))
    c["no data"] = pack(good)
    c["array header"] = pack("[]")
    c["string header"] = pack('"a"')
    c["null header"] = pack("null")
    c["two objects"] = pack("{}{}")
    c["comment"] = pack("{}//x")
    c["trailing comma"] = pack('{"a":' + tensor() + ",}", Z8)
    c["single quotes"] = pack(one().replace('"', "'"), Z8)
    c["truncated JSON"] = pack(one()[:-1], Z8)
    c["invalid UTF-8 in a name"] = pack(one().encode().replace(b'"a"', b'"\xff"'), Z8)
    c["overlong UTF-8"] = pack(one().encode().replace(b'"a"', b'"\xc0\xaf"'), Z8)
    c["raw surrogate"] = pack(one().replace('"a"', '"\ud800"'), Z8)
    c["invalid UTF-8 in padding"] = pack(b"{}\xff")
    c["escaped name"] = pack(one().replace('"a"', r'"\u0061\u00e9\ud83e\udd86\n"'), Z8)
    c["lone high surrogate escape"] = pack(one().replace('"a"', r'"\ud800"'), Z8)
    c["lone low surrogate escape"] = pack(one().replace('"a"', r'"\udc00"'), Z8)
    c["high surrogate and letter"] = pack(one().replace('"a"', r'"\ud800b"'), Z8)
    c["two high surrogates"] = pack(one().replace('"a"', r'"\ud800\ud800"'), Z8)
    c["bad escape"] = pack(one().replace('"a"', r'"\x61"'), Z8)
    c["escaped backslash before u"] = pack(one().replace('"a"', r'"\\ud800"'), Z8)
    c["control character in a name"] = pack(one().replace('"a"', '"\x01"'), Z8)
    c["NUL escape in a name"] = pack(one().replace('"a"', r'"a\u0000b"'), Z8)
    c["empty name"] = pack(one().replace('"a"', '""'), Z8)
    c["name of 5000 bytes"] = pack(one().replace('"a"', '"' + "x" * 5000 + '"'), Z8)
    two = '{"a":%s,"b":%s}'
    c["two tensors"] = pack(two % (tensor(), tensor(begin=8, end=16)), Z16)
    c["two tensors in the other order"] = pack(two % (tensor(begin=8, end=16), tensor()), Z16)
    c["same name twice"] = pack('{"a":%s,"a":%s}' % (tensor(), tensor(begin=8, end=16)), Z16)
    c["same name and place twice"] = pack('{"a":%s,"a":%s}' % (tensor(), tensor()), Z8)
    c["same name by escape"] = pack('{"a":%s,"\\u0061":%s}' % (tensor(), tensor(begin=8, end=16)), Z16)
    c["same place twice"] = pack(two % (tensor(), tensor()), Z8)
    c["overlap"] = pack(two % (tensor(), tensor(begin=4, end=12)), bytes(12))
    c["hole"] = pack(two % (tensor(), tensor(begin=12, end=20)), bytes(20))
    c["hole in front"] = pack(one(begin=4, end=12), bytes(12))
    c["backwards"] = pack(one(begin=8, end=0), Z8)
    c["end past the file"] = pack(one(end=16), Z8)
    c["end at 2^64-1"] = pack(one(shape=f"[{BIG // 4}]", end=BIG), Z8)
    c["offset past 2^64"] = pack(one(end=1 << 64), Z8)
    c["negative offset"] = pack(one(begin=-8, end=0), Z8)
    c["float offset"] = pack(one(end="8.0"), Z8)
    c["exponent offset"] = pack(one(end="8e0"), Z8)
    c["string offset"] = pack(one(end='"8"'), Z8)
    c["minus zero offset"] = pack(one(begin="-0"), Z8)
    c["leading zero offset"] = pack(one(end="08"), Z8)
    c["one offset"] = pack('{"a":{"dtype":"F32","shape":[2],"data_offsets":[0]}}', Z8)
    c["three offsets"] = pack('{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8,8]}}', Z8)
    c["offsets object"] = pack('{"a":{"dtype":"F32","shape":[2],"data_offsets":{"0":0,"1":8}}}', Z8)
    c["offsets null"] = pack('{"a":{"dtype":"F32","shape":[2],"data_offsets":null}}', Z8)
    c["scalar"] = pack(one(shape="[]", end=4), bytes(4))
    c["zero dimension"] = pack(one(shape="[0]", end=0))
    c["zero dimension with bytes"] = pack(one(shape="[0]"), Z8)
    c["zero times huge"] = pack(one(shape=f"[{BIG},0]", end=0))
    c["huge times zero times huge"] = pack(one(shape=f"[{BIG},{BIG},0]", end=0))
    c["zero times huge times huge"] = pack(one(shape=f"[0,{BIG},{BIG}]", end=0))
    c["shape overflow"] = pack(one(shape=f"[{1 << 32},{1 << 32}]", end=0))
    c["shape overflow to 8 bytes"] = pack(one(shape=f"[{(1 << 62) + 2},1]"), Z8)
    c["bit overflow"] = pack(one(shape=f"[{1 << 59}]", end=0))
    c["dimension past 2^64"] = pack(one(shape=f"[{1 << 64}]"), Z8)
    c["negative dimensions"] = pack(one(shape="[-1,-2]"), Z8)
    c["float dimension"] = pack(one(shape="[2.0]"), Z8)
    c["null dimension"] = pack(one(shape="[null]"), Z8)
    c["shape null"] = pack(one(shape="null"), Z8)
    c["shape number"] = pack(one(shape="2"), Z8)
    c["shape too small"] = pack(one(shape="[1]"), Z8)
    c["shape too large"] = pack(one(shape="[3]"), Z8)
    c["9 dimensions"] = pack(one(shape="[1,1,1,1,1,1,1,1,2]"), Z8)
    c["8 dimensions"] = pack(one(shape="[1,1,1,1,1,1,1,2]"), Z8)
    c["300 dimensions"] = pack(one(shape="[" + "1," * 299 + "2]"), Z8)
    for dtype in ("BOOL F4 F6_E2M3 F6_E3M2 U8 I8 F8_E5M2 F8_E4M3 F8_E8M0 F8_E4M3FNUZ F8_E5M2FNUZ I16 U16 F16 "
                  "BF16 I32 U32 F32 C64 F64 I64 U64").split():
        bits = {"BOOL": 8, "F4": 4, "BF16": 16, "F8_E5M2FNUZ": 8, "F8_E4M3FNUZ": 8}.get(
            dtype, int("".join(ch for ch in dtype.split("_")[0] if ch.isdigit())) if dtype != "BOOL" else 8)
        c[f"dtype {dtype}"] = pack(one(dtype=dtype, shape="[4]", end=4 * bits // 8), bytes(4 * bits // 8))
    c["F4 of 3"] = pack(one(dtype="F4", shape="[3]", end=2), bytes(2))
    c["dtype lower case"] = pack(one(dtype="f32"), Z8)
    c["dtype unknown"] = pack(one(dtype="Q8"), Z8)
    c["dtype empty"] = pack(one(dtype=""), Z8)
    c["dtype number"] = pack(one().replace('"F32"', "32"), Z8)
    c["dtype missing"] = pack('{"a":{"shape":[1,2],"data_offsets":[0,8]}}', Z8)
    c["shape missing"] = pack('{"a":{"dtype":"F32","data_offsets":[0,8]}}', Z8)
    c["offsets missing"] = pack('{"a":{"dtype":"F32","shape":[1,2]}}', Z8)
    c["tensor is an array"] = pack('{"a":["F32",[1,2],[0,8]]}', Z8)
    c["tensor is a long array"] = pack('{"a":["F32",[1,2],[0,8],1]}', Z8)
    c["tensor is null"] = pack('{"a":null}')
    c["tensor is a string"] = pack('{"a":"b"}')
    c["tensor is empty"] = pack('{"a":{}}')
    c["extra field"] = pack(one(extra=',"x":[1,{"y":null}]'), Z8)
    c["extra field NaN"] = pack(one(extra=',"x":NaN'), Z8)
    c["extra field 1e999"] = pack(one(extra=',"x":1e999'), Z8)
    c["extra field -Infinity"] = pack(one(extra=',"x":-Infinity'), Z8)
    c["extra field big integer"] = pack(one(extra=',"x":123456789012345678901234567890'), Z8)
    c["extra field twice"] = pack(one(extra=',"x":1,"x":2'), Z8)
    c["extra field deep"] = pack(one(extra=',"x":' + "[" * 100 + "]" * 100), Z8)
    c["extra field 130 deep"] = pack(one(extra=',"x":' + "[" * 130 + "]" * 130), Z8)
    c["extra field lone surrogate"] = pack(one(extra=r',"x":"\ud800"'), Z8)
    c["dtype twice"] = pack(one(extra=',"dtype":"F32"'), Z8)
    c["shape twice"] = pack(one(extra=',"shape":[1,2]'), Z8)
    c["metadata"] = pack('{"__metadata__":{"format":"pt","x":""},"a":' + tensor() + "}", Z8)
    c["metadata last"] = pack('{"a":' + tensor() + ',"__metadata__":{"format":"pt"}}', Z8)
    c["metadata empty"] = pack('{"__metadata__":{}}')
    c["metadata null"] = pack('{"__metadata__":null}')
    c["metadata number value"] = pack('{"__metadata__":{"a":1}}')
    c["metadata null value"] = pack('{"__metadata__":{"a":null}}')
    c["metadata object value"] = pack('{"__metadata__":{"a":{}}}')
    c["metadata string"] = pack('{"__metadata__":"pt"}')
    c["metadata array"] = pack('{"__metadata__":[]}')
    c["metadata key twice"] = pack('{"__metadata__":{"a":"1","a":"2"}}')
    c["metadata twice"] = pack('{"__metadata__":{"a":"1"},"__metadata__":{"a":"2"}}')
    c["metadata as a tensor"] = pack('{"__metadata__":' + tensor() + "}", Z8)
    c["odd alignment"] = pack('{"a":' + tensor() + "} ", Z8)
    c["deep nesting"] = pack("{" + '"a":{' * 200 + "}" * 201)
    c["empty tensors share an offset"] = pack(two % (tensor(shape="[0]", end=0), tensor()), Z8)
    c["empty tensor in the middle"] = pack(
        '{"a":%s,"b":%s,"c":%s}' % (tensor(), tensor(shape="[0]", begin=8, end=8), tensor(begin=8, end=16)), Z16)
    c["empty tensor inside another"] = pack(two % (tensor(), tensor(shape="[0]", begin=4, end=4)), Z8)
    c["empty tensor past the end"] = pack(two % (tensor(), tensor(shape="[0]", begin=16, end=16)), Z8)
    base = pack('{"__metadata__":{"format":"pt"},"a":%s,"bc":%s}  ' % (
        tensor(), tensor(dtype="F16", shape="[4]", begin=8, end=16)), Z16)
    rng = random.Random(7)
    for i in range(400):
        raw = bytearray(base)
        for _ in range(rng.choice([1, 1, 1, 2, 3])):
            at = rng.randrange(8, len(raw) - 16)
            kind = rng.randrange(4)
            if kind == 0:
                raw[at] = rng.randrange(256)
            elif kind == 1:
                raw[at] = ord(rng.choice('0123456789{}[]:,"-.eE\\u '))
            elif kind == 2:
                del raw[at]
            else:
                raw.insert(at, ord(rng.choice('0123456789{}[]:,"-. ')))
        raw[:8] = struct.pack("<Q", len(raw) - 24)
        c[f"mutation {i}"] = bytes(raw)
    return c


def verdict(raw):
    try:
        safetensors.deserialize(raw)
        return None
    except Exception as e:  # the package has one exception class for all refusals
        return str(e)


def main():
    out = []
    for name, raw in cases().items():
        error = verdict(raw)
        if error is None and name.startswith("mutation"):
            name += " (opens)"
        out.append({"name": name, "hex": raw.hex(), "opens": error is None, "says": (error or "")[:120]})
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "safetensors_cases.json")
    with open(path, "w") as f:
        f.write(f'{{"made_by": "safetensors {safetensors.__version__}", "cases": [\n')
        f.write(",\n".join(json.dumps(case) for case in out))
        f.write("\n]}\n")
    print(len(out), "cases,", sum(c["opens"] for c in out), "open")


if __name__ == "__main__":
    main()
