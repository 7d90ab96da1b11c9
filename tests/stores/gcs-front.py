#!/usr/bin/env python3
"""Stands before fake-gcs-server and adds the one request that it lacks: writing by the XML interface.

    gcs-front.py PORT UPSTREAM_PORT

`PUT /bucket/object` becomes the upload request of the JSON interface, its precondition included;
everything else is passed on as it came.
"""

import http.client
import http.server
import sys
import urllib.parse


class Front(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def pass_on(self):
        length = int(self.headers.get("content-length", 0))
        body = self.rfile.read(length)
        if len(body) < length:
            self.close_connection = True
            return
        method, path = self.command, self.path
        url = urllib.parse.urlsplit(path)
        query = urllib.parse.parse_qs(url.query)
        if method == "PUT" and not query:
            bucket, _, name = url.path.lstrip("/").partition("/")
            asked = {"uploadType": "media", "name": urllib.parse.unquote(name)}
            if "x-goog-if-generation-match" in self.headers:
                asked["ifGenerationMatch"] = self.headers["x-goog-if-generation-match"]
            method = "POST"
            path = f"/upload/storage/v1/b/{bucket}/o?{urllib.parse.urlencode(asked)}"
        headers = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "connection")}
        upstream = http.client.HTTPConnection("127.0.0.1", UPSTREAM, timeout=30)
        upstream.request(method, path, body, {**headers, "host": f"127.0.0.1:{PORT}"})
        answer = upstream.getresponse()
        content = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "transfer-encoding", "date", "content-length"):
                self.send_header(name, value)
        size = answer.getheader("content-length") if self.command == "HEAD" else len(content)
        self.send_header("content-length", size or 0)
        if self.command == "PUT" and "etag" not in map(str.lower, dict(answer.getheaders())):
            self.send_header("etag", '"written"')
        self.end_headers()
        self.wfile.write(content)
        upstream.close()

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = pass_on

    def log_message(self, *_):
        pass


PORT, UPSTREAM = int(sys.argv[1]), int(sys.argv[2])
http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Front).serve_forever()
