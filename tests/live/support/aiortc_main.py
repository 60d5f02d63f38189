"""Watches by WHEP as a program without a browser does: `aiortc_main.py URL ecdsa|rsa SECONDS`. Prints one line of JSON:
what the connection came to, the pictures that were decoded and the colour in the middle of the last one."""

import asyncio
import datetime
import json
import sys

import httpx
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.rtcdtlstransport import RTCCertificate
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa


class Certificate(RTCCertificate):
    """One of any kind: aiortc itself is content with ECDSA only, where it is the DTLS server."""

    def _create_ssl_context(self, srtp_profiles):
        context = super()._create_ssl_context(srtp_profiles)
        context.set_cipher_list(b"ECDHE+AESGCM")
        return context


def certificate(kind):
    """A certificate signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1()) if kind == "ecdsa" else rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, kind)])
    now = datetime.datetime.now(tz=datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(days=1))
    builder = builder.not_valid_after(now + datetime.timedelta(days=1))
    return Certificate(key=key, cert=builder.sign(key, hashes.SHA256()))


async def watch(url, kind, seconds):
    """Everything that this program is for."""
    peer = RTCPeerConnection()
    # It has no option for it.
    peer._RTCPeerConnection__certificates = [certificate(kind)]
    peer.addTransceiver("video", direction="recvonly")
    seen = {"pictures": 0, "colour": None, "size": None}

    async def count(track):
        while True:
            picture = (await track.recv()).to_ndarray(format="rgb24")
            height, width, _ = picture.shape
            seen["pictures"] += 1
            seen["size"] = [width, height]
            seen["colour"] = picture[height // 2, width // 2].tolist()

    peer.on("track", lambda track: asyncio.ensure_future(count(track)))
    await peer.setLocalDescription(await peer.createOffer())
    async with httpx.AsyncClient() as http:
        offer = {"Content-Type": "application/sdp"}
        answer = await http.post(url, content=peer.localDescription.sdp, headers=offer)
        answer.raise_for_status()
        await peer.setRemoteDescription(RTCSessionDescription(answer.text, "answer"))
        end = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < end and seen["pictures"] < 20:
            await asyncio.sleep(0.1)
        print(json.dumps({"state": peer.connectionState, **seen}))
        await http.delete(str(httpx.URL(url).join(answer.headers["Location"])))
    await peer.close()


asyncio.run(watch(sys.argv[1], sys.argv[2], float(sys.argv[3])))
