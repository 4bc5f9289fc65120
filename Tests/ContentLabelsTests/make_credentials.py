#!/usr/bin/env python3
"""Signs small pictures of each format with the C2PA reference implementation, under keys of each algorithm, and writes down
what its reader says of each as it is and with one byte changed. Needs c2pa-python, cryptography and pillow.

    python3 Tests/ContentLabelsTests/make_credentials.py Tests/ContentLabelsTests/Goldens/credentials
"""
import datetime
import io
import json
import sys
from pathlib import Path

import c2pa
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from PIL import Image

TYPES = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp", "gif": "image/gif"}
KEYS = {
    "es256": lambda: ec.generate_private_key(ec.SECP256R1()), "es384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "es512": lambda: ec.generate_private_key(ec.SECP521R1()), "ed25519": ed25519.Ed25519PrivateKey.generate,
    "ps256": lambda: rsa.generate_private_key(65537, 2048), "ps384": lambda: rsa.generate_private_key(65537, 2048),
}


def name(organization, common):
    return x509.Name([
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization), x509.NameAttribute(NameOID.COMMON_NAME, common)])


def certificate(subject, key, issuer, issuer_key, authority):
    builder = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(datetime.datetime(2026, 1, 1))
        .not_valid_after(datetime.datetime(2066, 1, 1))
        .add_extension(x509.BasicConstraints(authority, None), critical=True)
        .add_extension(x509.KeyUsage(
            digital_signature=not authority, content_commitment=False, key_encipherment=False, data_encipherment=False,
            key_agreement=False, key_cert_sign=authority, crl_sign=authority, encipher_only=False,
            decipher_only=False), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False))
    if not authority:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
    return builder.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def signer(algorithm):
    authority, key = ec.generate_private_key(ec.SECP256R1()), KEYS[algorithm]()
    root = certificate(name("Others", "root"), authority, name("Others", "root"), authority, True)
    leaf = certificate(name("Others of " + algorithm, "signer"), key, name("Others", "root"), authority, False)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return c2pa.Signer.from_info(c2pa.C2paSignerInfo(algorithm.encode(), leaf, private, None))


def picture(kind):
    image = Image.frombytes("RGB", (24, 16), bytes(i * 7 % 256 for i in range(24 * 16 * 3)))
    file = io.BytesIO()
    image.save(file, kind)
    file.seek(0)
    return file


def signed(kind, algorithm, version):
    manifest = {
        "claim_generator_info": [{"name": "others", "version": "1"}], "claim_version": version, "title": "a picture",
        "format": TYPES[kind],
        "assertions": [{"label": "c2pa.actions", "data": {"actions": [{
            "action": "c2pa.created", "when": "2026-11-30T12:00:00Z", "softwareAgent": {"name": "others-draw"}
            if version == 2 else "others-draw",
            "digitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"}]}}],
    }
    target = io.BytesIO()
    # Its thumbnails of so small a picture are a thousand times larger.
    context = c2pa.Context(settings=c2pa.Settings.from_dict({"builder": {"thumbnail": {"enabled": False}}}))
    c2pa.Builder(manifest, context=context).sign(signer(algorithm), TYPES[kind], picture(kind), target)
    return target.getvalue()


def state(file, kind):
    try:
        with c2pa.Reader(TYPES[kind], io.BytesIO(file)) as reader:
            return json.loads(reader.json())["validation_state"].lower()
    except c2pa.C2paError as error:
        return "not_present" if "ManifestNotFound" in str(error) else "invalid"


def main(folder):
    folder.mkdir(exist_ok=True)
    cases = [(kind, "es256", version) for kind in TYPES for version in (1, 2)]
    cases += [("png", algorithm, 2) for algorithm in KEYS if algorithm != "es256"]
    found = {}
    for kind, algorithm, version in cases:
        file = signed(kind, algorithm, version)
        path = folder / f"{kind}-{algorithm}-v{version}.{kind}"
        path.write_bytes(file)
        changed = bytearray(file)
        place = len(file) - 8 if kind != "webp" else file.index(b"VP8 ") + 20
        changed[place] ^= 1
        found[path.name] = {"state": state(file, kind), "changed": place, "changed_state": state(bytes(changed), kind)}
    for kind in TYPES:
        file = picture(kind).getvalue()
        (folder / f"plain.{kind}").write_bytes(file)
        found[f"plain.{kind}"] = {"state": state(file, kind)}
    (folder / "states.json").write_text(json.dumps({"c2pa": c2pa.__version__, "files": found}, indent=1) + "\n")
    print(json.dumps(found, indent=1))


main(Path(sys.argv[1]))
