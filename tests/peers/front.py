"""nginx in front of a gateway, as an operator would have it: it ends TLS, asks for client certificates, and passes
them on. With an authority of its own, made anew for each run."""
import datetime
import pathlib
import shutil
import socket
import ssl
import subprocess
import tempfile
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

CONFIG = """
daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;
events {{ worker_connections 512; }}
http {{
	access_log off;
	client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c; uwsgi_temp_path {folder}/d;
	scgi_temp_path {folder}/e;
	server {{
		listen 127.0.0.1:{port} ssl;
		ssl_certificate {server}; ssl_certificate_key {server_key};
		ssl_client_certificate {authority}; ssl_verify_client optional;
		location / {{
			proxy_pass http://127.0.0.1:{behind};
			proxy_http_version 1.1;
			proxy_set_header Host $http_host;
			proxy_set_header Client-Cert $ssl_client_escaped_cert;
		}}
	}}
}}
"""


class Authority:
    """Issues certificates into a folder: `certificate(name)` -> (certificate file, key file)."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test authority")])
        self.made = self.sign(self.name, self.key, x509.BasicConstraints(ca=True, path_length=0), [])
        self.file = self.write("authority.pem", self.made)

    def write(self, name, certificate):
        path = self.folder / name
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return path

    def sign(self, subject, key, constraints, names, end=1):
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(key.public_key())
                   .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=10))
                   .not_valid_after(now + datetime.timedelta(days=end)).add_extension(constraints, critical=True))
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self.key, hashes.SHA256())

    def certificate(self, name, names=None, end=1):
        """`names`: DNS names it is for, else those of this machine; `end`: days from now."""
        import ipaddress
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        names = ([x509.DNSName(n) for n in names] if names else
                 [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        made = self.sign(subject, key, x509.BasicConstraints(ca=False, path_length=None), names, end)
        key_file = self.folder / f"{name}.key"
        key_file.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                               serialization.NoEncryption()))
        return self.write(f"{name}.pem", made), key_file


def thumbprint(file):
    """`x5t#S256` of RFC 8705."""
    import base64
    certificate = x509.load_pem_x509_certificate(pathlib.Path(file).read_bytes())
    return base64.urlsafe_b64encode(certificate.fingerprint(hashes.SHA256())).rstrip(b"=").decode()


class Front:
    """Listens on `port` from the start of its life; `behind` is the gateway's port."""

    def __init__(self, port, behind):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="gatewarden-front-"))
        self.folder.chmod(0o755)
        self.authority = Authority(self.folder)
        server, server_key = self.authority.certificate("server")
        self.port, self.url = port, f"https://127.0.0.1:{port}"
        (self.folder / "nginx.conf").write_text(CONFIG.format(folder=self.folder, port=port, behind=behind, server=server,
                                                              server_key=server_key, authority=self.authority.file))
        program = shutil.which("nginx") or "/usr/sbin/nginx"
        self.process = subprocess.Popen([program, "-p", self.folder, "-e", self.folder / "error.log", "-c", self.folder / "nginx.conf"],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError:
                if time.monotonic() > end or self.process.poll() is not None:
                    raise AssertionError("nginx does not start: " + (self.folder / "error.log").read_text()[-500:]) from None
                time.sleep(0.02)

    @staticmethod
    def is_there():
        return bool(shutil.which("nginx")) or pathlib.Path("/usr/sbin/nginx").exists()

    def tls(self, client=None):
        """What a client of ours needs; `client`: its certificate and key."""
        context = ssl.create_default_context(cafile=self.authority.file)
        if client:
            context.load_cert_chain(*client)
        return context

    def stop(self):
        self.process.terminate()
        self.process.wait(10)
        shutil.rmtree(self.folder, ignore_errors=True)
