"""Keys and certificates.

Three kinds of keys take part, and none replaces another:

* the SuperLink's TLS certificate encrypts the connection and shows a node that it talks to the right machine;
* each SuperNode's key for Flower's node authentication (an elliptic curve key) shows the SuperLink who connects;
* each node's and the centre's **signing key** (Ed25519) signs what the two send each other. The SuperLink stores and forwards
  messages; because they are signed, it cannot change or invent one.

``python -m alluvium.flower.keys DIRECTORY --nodes 4`` makes all of them.
"""

from __future__ import annotations

import argparse
import datetime
import ipaddress
import os
import re
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from alluvium.flower.errors import Refused
from alluvium.flower.files import write

#: The names of files that belong to no node: ``centre.sign`` is the centre's key.
RESERVED = ("authority", "centre", "superlink")

#: A name of a host in which the last part is no number: otherwise it is a wrong address.
HOST = re.compile(r"(\*\.)?([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)*(?!\d+\Z)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


class SigningKey:
    """An Ed25519 key that signs messages. ``public`` is its public half in hexadecimal digits."""

    def __init__(self, key: ed25519.Ed25519PrivateKey) -> None:
        self._key = key
        self.public: str = key.public_key().public_bytes_raw().hex()

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> SigningKey:
        """Reads a private key from a PEM file."""
        key = serialization.load_pem_private_key(Path(path).read_bytes(), password=None)
        if not isinstance(key, ed25519.Ed25519PrivateKey):
            raise ValueError(f"{path}: it is not an Ed25519 key; accepted: a file that `python -m alluvium.flower.keys` made")
        return cls(key)

    @classmethod
    def read_or_make(cls, path: str | os.PathLike[str]) -> SigningKey:
        """Reads a private key, or makes one if there is no such file."""
        if not Path(path).exists():
            _write_private(Path(path), ed25519.Ed25519PrivateKey.generate())
        return cls.read(path)

    def sign(self, message: bytes) -> bytes:
        """The signature of a message."""
        return self._key.sign(message)


def verify(public: str, signature: bytes, message: bytes) -> None:
    """Raises :class:`Refused` if the signature does not fit."""
    try:
        ed25519.Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(signature, message)
    except (InvalidSignature, ValueError):
        raise Refused("bad-signature", f"the signature does not fit the key {public[:16]}…") from None


def is_public_key(text: str) -> bool:
    """Whether a text has the form of the public half of a signing key."""
    return re.fullmatch("[0-9a-f]{64}", text) is not None


def read_public_keys(path: str | os.PathLike[str]) -> dict[str, str]:
    """Reads a list of public keys: a key in each line, then a name. Empty lines and ``#`` comments are skipped."""
    keys: dict[str, str] = {}
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), 1):
        words = line.split("#", 1)[0].split()
        if not words:
            continue
        key, name = words[0], " ".join(words[1:]) or words[0][:8]
        if not is_public_key(key):
            raise ValueError(f"{path}:{number}: `{key}` is not a key; accepted: 64 hexadecimal digits, then a name")
        if keys.setdefault(key, name) != name:
            raise ValueError(f"{path}:{number}: `{name}` has the key of `{keys[key]}`, {key[:16]}…; accepted: one name for each key")
    return keys


def make_authority(folder: Path) -> None:
    """Makes the certificate authority that signs the SuperLink's certificate, unless it is there."""
    if (folder / "authority.pem").exists():
        return
    key = ec.generate_private_key(ec.SECP384R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "alluvium authority")])
    certificate = (
        _certificate(name, name, key.public_key(), 3650)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA384())
    )
    _write_private(folder / "authority.key", key)
    write(folder / "authority.pem", certificate.public_bytes(serialization.Encoding.PEM))


def make_certificate(folder: Path, hosts: Sequence[str], days: int = 365) -> None:
    """Makes the SuperLink's certificate for the names and addresses under which nodes reach it. An older one is replaced."""
    # Programs look for a host among the alternative names. The common name holds 64 characters, and is only shown.
    common = next((host for host in hosts if len(host) <= 64), "SuperLink")
    authority_key = serialization.load_pem_private_key((folder / "authority.key").read_bytes(), password=None)
    authority = x509.load_pem_x509_certificate((folder / "authority.pem").read_bytes())
    assert isinstance(authority_key, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP384R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    certificate = (
        _certificate(name, authority.subject, key.public_key(), days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([_general_name(host) for host in hosts]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(identifier, critical=False)
        .sign(authority_key, hashes.SHA384())
    )
    _write_private(folder / "superlink.key", key)
    write(folder / "superlink.pem", certificate.public_bytes(serialization.Encoding.PEM))


def make_node(folder: Path, name: str) -> str:
    """Makes the two keys of a node, unless they are there. Gives the public half of its signing key."""
    if not (folder / f"{name}.auth").exists():
        key = ec.generate_private_key(ec.SECP384R1())
        _write_private(folder / f"{name}.auth", key, serialization.PrivateFormat.OpenSSH)
        public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
        write(folder / f"{name}.auth.pub", public)
    return SigningKey.read_or_make(folder / f"{name}.sign").public


def make_all(folder: Path, nodes: Sequence[str], hosts: Sequence[str]) -> None:
    """Makes the authority, the SuperLink's certificate, the centre's signing key, and the keys of the nodes.

    ``nodes.txt`` lists the public signing keys of the nodes, ``centre.pub`` is the centre's.
    """
    # Nothing is written before all names are known to be good.
    _check_nodes(nodes)
    _check_hosts(hosts)
    listed = read_public_keys(folder / "nodes.txt") if (folder / "nodes.txt").exists() else {}
    folder.mkdir(parents=True, exist_ok=True)
    make_authority(folder)
    make_certificate(folder, hosts)
    centre = SigningKey.read_or_make(folder / "centre.sign")
    write(folder / "centre.pub", f"{centre.public}\n".encode())
    for name in nodes:
        key = make_node(folder, name)
        # A file may be a copy of another one: two would sign with one key. A line of the list may have a name of the operator's choice.
        owner = "centre" if key == centre.public else listed.setdefault(key, name)
        if owner != name and (folder / f"{owner}.sign").exists():
            raise ValueError(f"{folder / name}.sign holds the signing key of `{owner}`; accepted: a key of its own for each node")
    lines = [f"{key} {name}\n" for key, name in listed.items()]
    write(folder / "nodes.txt", "".join(lines).encode())


def _check_nodes(nodes: Sequence[str]) -> None:
    """Refuses names of nodes that name files of something else, or that ``nodes.txt`` cannot hold."""
    seen: set[str] = set()
    for name in nodes:
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", name):
            accepted = "letters from a to z, digits, `.`, `-`, `_`; `.` and `-` not in front"
            raise ValueError(f"{name!r} is not a name of a node; accepted: {accepted}")
        # Some file systems do not tell capital letters from small ones.
        if name.lower() in RESERVED:
            raise ValueError(f"a node cannot have the name {name!r}: {name}.* are files of the centre's; accepted: any other name")
        if name.lower() in seen:
            raise ValueError(f"two nodes have the name {name!r}; accepted: different names, also without regard to capital letters")
        seen.add(name.lower())


def _check_hosts(hosts: Sequence[str]) -> None:
    """Refuses what is neither a name nor an address."""
    if not hosts:
        raise ValueError("no host; accepted: a name or address under which nodes reach the SuperLink")
    for host in hosts:
        is_address = isinstance(_general_name(host), x509.IPAddress) if host.isascii() else False
        if not is_address and (len(host) > 253 or not HOST.fullmatch(host)):
            accepted = "a name such as centre.example.org, or an address such as 10.0.0.1, without a port"
            raise ValueError(f"{host!r} is not a host; accepted: {accepted}")


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.timezone.utc)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _write_private(
    path: Path,
    key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey,
    form: serialization.PrivateFormat = serialization.PrivateFormat.PKCS8,
) -> None:
    text = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(text)


def main(arguments: Sequence[str] | None = None) -> None:
    """Makes keys and certificates from the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m alluvium.flower.keys",
        description="Make the certificate of a SuperLink and the keys of a centre and its nodes. Keys that exist are kept; the "
        "certificate is renewed.",
    )
    parser.add_argument("directory", type=Path, help="where the files go; everything that does not end in .pub, .pem or .txt is secret")
    parser.add_argument("--nodes", type=int, default=0, metavar="N", help="make keys for the nodes node-1 to node-N")
    parser.add_argument("--node", action="append", default=[], metavar="NAME", help="make keys for a node of this name; repeatable")
    parser.add_argument(
        "--host",
        action="append",
        metavar="NAME",
        help="a name or address under which nodes reach the SuperLink; repeatable; default: localhost and 127.0.0.1",
    )
    given = parser.parse_args(arguments)
    if given.nodes < 0:
        parser.error(f"--nodes {given.nodes}: accepted: a number of nodes, at least 0")
    nodes = [f"node-{number}" for number in range(1, given.nodes + 1)] + given.node
    hosts = list(dict.fromkeys([*(given.host or []), "localhost", "127.0.0.1", "::1"]))
    try:
        make_all(given.directory, nodes, hosts)
    except ValueError as error:
        parser.error(str(error))
    print(f"{given.directory}: authority, certificate for {', '.join(hosts)}, centre, {len(nodes)} nodes")


if __name__ == "__main__":
    main()
