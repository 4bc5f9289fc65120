#!/usr/bin/env python3
"""What stands between a hub and who pulls from it: TLS in front of it and of its store, and proxies that speak CONNECT.

    python3 network.py FOLDER HUB STORE

FOLDER gets a certificate for localhost, server.pem, and its authority's, ca.pem (made by openssl). HUB and STORE are ports on
127.0.0.1. Prints the ports of what listens, as JSON in one line: hub and store (TLS), proxy, and guarded, a proxy that wants to be asked as
user:pass. Lines of FOLDER/proxy.log are what the proxies were asked. Ends with its standard input.
"""
import base64, json, os, select, socket, ssl, subprocess, sys, threading

folder, hub, store = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])

def openssl(*arguments): subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=authority")
openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost")
open(f"{folder}/names", "w").write("subjectAltName=DNS:localhost\n")
openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", "server.pem", "-days", "2",
        "-extfile", "names")

def carry(a, b):
    """Both ways, until one side ends."""
    def one(source, sink):
        try:
            while data := source.recv(65_536): sink.sendall(data)
        except OSError: pass
        for end in (source, sink):
            try: end.shutdown(socket.SHUT_RDWR)
            except OSError: pass
    thread = threading.Thread(target=one, args=(a, b), daemon=True)
    thread.start()
    one(b, a)

def listen(serve):
    server = socket.create_server(("127.0.0.1", 0))
    def accept():
        while True:
            client, _ = server.accept()
            threading.Thread(target=run, args=(client,), daemon=True).start()
    def run(client):
        try: serve(client)
        except (OSError, ValueError): pass
        finally: client.close()
    threading.Thread(target=accept, daemon=True).start()
    return server.getsockname()[1]

context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(f"{folder}/server.pem", f"{folder}/server.key")

def encrypted(port):
    return lambda client: carry(context.wrap_socket(client, server_side=True), socket.create_connection(("127.0.0.1", port)))

def proxy(wanted):
    def serve(client):
        head = b""
        while b"\r\n\r\n" not in head:
            data = client.recv(65_536)
            if not data: return
            head += data
        lines = head.decode("latin-1").split("\r\n")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        allowed = wanted is None or fields.get("proxy-authorization") == "Basic " + base64.b64encode(wanted.encode()).decode()
        with open(f"{folder}/proxy.log", "a") as log: log.write(f"{lines[0]} {'authorization' in fields} {allowed}\n")
        if not allowed:
            client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n")
            return
        method, target, _ = lines[0].split(" ")
        if method != "CONNECT":
            client.sendall(b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n")
            return
        # Names are the proxy's to look up: there is one host here.
        upstream = socket.create_connection(("127.0.0.1", int(target.rsplit(":", 1)[1])))
        client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        carry(client, upstream)
    return serve

print(json.dumps({"hub": listen(encrypted(hub)), "store": listen(encrypted(store)), "proxy": listen(proxy(None)),
                  "guarded": listen(proxy("user:pass"))}), flush=True)
sys.stdin.read()
