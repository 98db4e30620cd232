#!/bin/sh
# PyJWT 2.15.1 with cryptography 50.0.2.
#
# RFC 9864 gave EdDSA with the curve Ed25519 a name of its own, "Ed25519", and deprecates the old
# one. PyJWT has the algorithm and the curve, but not the name: a key set whose key says
# alg=Ed25519 has no usable key, and a token with it names an algorithm that is not supported.
#
# Why it surprises: the error asks whether cryptography is installed. It is, and the same key
# without "alg", or with the old name, is read. jwt.register_algorithm mends tokens alone; in the
# key set the name has to be replaced.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q PyJWT==2.15.1 cryptography==50.0.2 2>pip.log || { cat pip.log; exit 1; }

cat >try.py <<'END'
import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

private = Ed25519PrivateKey.generate()
public = OKPAlgorithm.to_jwk(private.public_key(), as_dict=True)
for named in ({}, {"alg": "EdDSA"}, {"alg": "Ed25519"}):
    try:
        found = [key.algorithm_name for key in jwt.PyJWKSet([public | named]).keys]
    except jwt.PyJWTError as error:
        found = error
    print(named, found)
try:
    jwt.encode({}, private, algorithm="Ed25519")
except NotImplementedError as error:
    print(error)
END
venv/bin/python try.py | tee seen
diff - seen <<'END'
{} ['EdDSA']
{'alg': 'EdDSA'} ['EdDSA']
{'alg': 'Ed25519'} The JWK Set did not contain any usable keys. Perhaps 'cryptography' is not installed?
Algorithm not supported
END
