"""A bucket on the loopback: lists and sends files as S3 does, with the faults that a test asks for."""

import hashlib
import threading
import urllib.parse
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Bucket:
    """What is stored, what goes wrong, and what was asked for.

    ``cut`` maps a key to how often it is cut off half-way, ``wrong`` names keys that arrive changed; a page
    of the list holds ``page`` keys.
    """

    def __init__(self, files):
        self.files = dict(files)
        self.cut = {}
        self.wrong = set()
        self.page = 1000
        self.sent = []  # key and range of each request


@contextmanager
def serving(bucket):
    """Serve it; gives the endpoint with a place for the bucket's name."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            address = urllib.parse.urlparse(self.path)
            key = urllib.parse.unquote(address.path).removeprefix("/idc-open-data/")
            if address.query:
                self._answer(200, _listed(bucket, urllib.parse.parse_qs(address.query)))
            elif key in bucket.files:
                self._send(key)
            else:
                self._answer(404, b"")

        def _send(self, key):
            wanted = self.headers.get("Range", "")
            bucket.sent.append((key, wanted))
            content = bucket.files[key]
            if key in bucket.wrong:
                content = bytes(255 - byte for byte in content)
            start = int(wanted.removeprefix("bytes=").rstrip("-") or 0)
            content = content[start:]
            left = bucket.cut.get(key, 0)
            bucket.cut[key] = left - 1
            self._answer(206 if wanted else 200, content, send=len(content) // 2 if left > 0 else None)

        def _answer(self, status, content, send=None):
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content if send is None else content[:send])
            self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/{{bucket}}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _listed(bucket, query):
    (prefix,), start = query["prefix"], int(query.get("continuation-token", ["0"])[0])
    keys = sorted(key for key in bucket.files if key.startswith(prefix))
    page = keys[start : start + bucket.page]
    rows = "".join(
        f"<Contents><Key>{key}</Key><Size>{len(bucket.files[key])}</Size>"
        f"<ETag>&quot;{hashlib.md5(bucket.files[key]).hexdigest()}&quot;</ETag></Contents>"
        for key in page
    )
    end = start + len(page)
    more = f"<NextContinuationToken>{end}</NextContinuationToken>" if end < len(keys) else ""
    space = "http://s3.amazonaws.com/doc/2006-03-01/"
    return f'<ListBucketResult xmlns="{space}">{rows}{more}</ListBucketResult>'.encode()
