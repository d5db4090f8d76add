#!/usr/bin/env python3
"""Runs test blocks of Test::Nginx's format against `moongate run --nginx`, and counts what passes.

usage: run.py [options] FILE...           FILE: *.t, of ours or of a checkout of lua-nginx-module

Each block names a configuration, a request, and what must come back and be logged. A block passes if
all that it names holds. Files with Perl in them are evaluated by perl, with the modules beside this
file in the place of Test::Nginx; nothing but what perl brings is needed.
"""
import argparse, concurrent.futures, json, os, queue, re, shutil, signal, socket, subprocess, sys
import threading, time

HERE = os.path.dirname(os.path.abspath(__file__))
SKIPPED_SECTIONS = ("http2", "http3", "stream_config", "stream_server_config", "SKIP", "raw_request_middle_delay_unsupported")

# ---------------------------------------------------------------- blocks

def read_blocks(path, root, checkout):
    """The blocks of a file; one that is a Perl script is read by perl."""
    with open(path, encoding="latin-1") as file:
        text = file.read()
    if "__DATA__" not in text:
        return read_plain(text)
    env = dict(os.environ, TEST_NGINX_SERVROOT=root, TEST_NGINX_SERVER_PORT=PORT_MARK,
               TEST_NGINX_PORT=PORT_MARK)
    found = subprocess.run(["perl", "-I" + os.path.join(HERE, "perl"), "-I" + checkout, path],
                           capture_output=True, env=env, cwd=checkout)
    blocks = [json.loads(line.decode("latin-1")) for line in found.stdout.splitlines()]
    if not blocks:
        print(f"{path}: no block could be read: {found.stderr.decode()[-300:]}", file=sys.stderr)
    return blocks

PORT_MARK = "61984"
PATIENCE = 3.0
IGNORES_LOG = False

def read_plain(text):
    """The blocks of a file of our own, in which `eval` is `qr/.../`, or JSON in which such may stand."""
    settings = {"log_level": "debug", "workers": 1, "master": 0, "root_location": 1, "env": []}
    blocks = []
    for chunk in re.split(r"(?m)^=== +", text)[1:]:
        name, _, rest = chunk.partition("\n")
        sections = {}
        for part in re.split(r"(?m)^--- +", rest)[1:]:
            head, _, body = part.partition("\n")
            key, filters, inline = re.match(r"(\w+)((?: +\w+)*) *(?:: *(.*))?$", head.strip()).groups()
            value = inline if inline is not None else body.rstrip("\n") + "\n" if body.strip() else ""
            for one in filters.split():
                value = filtered(one, value)
            sections[key] = value
        blocks.append({"name": name, "sections": sections, "settings": settings, "faults": []})
    return blocks

def filtered(name, value):
    if name == "chomp":
        return value.removesuffix("\n")
    if name == "eval":
        if (quoted := re.match(r"qr/(.*)/(\w*)\s*$", value, re.S)):
            return {"regex": quoted[1]}
        regex = lambda quoted: json.dumps({"regex": quoted[1].replace("\\/", "/")})
        return json.loads(re.sub(r"qr/((?:[^/\\\n]|\\.)*)/", regex, value))
    raise ValueError(f"unknown filter {name}")

def is_regex(value):
    return isinstance(value, dict) and "regex" in value

def pattern(value, flags=0):
    """A Perl regex, as text `(?^sm:...)`, for Python."""
    text = value["regex"] if is_regex(value) else value
    text = re.sub(r"\(\?\^(\w*):", lambda m: "(?" + m[1].replace("u", "").replace("l", "").replace("a", "") + ":", text)
    text = text.replace("(?:", "(?:").replace("\\z", "\\Z").replace("\\/", "/").replace("\\h", "[ \\t]")
    return re.compile(text.encode("latin-1"), flags)

# ---------------------------------------------------------------- configuration

def expand(text, names):
    """`$TEST_NGINX_NAME` by its value."""
    def value(m):
        return names.get(m[1] or m[2], "")
    return re.sub(r"\$(TEST_NGINX_[A-Z0-9_]+|SERVER_PORT)\b|\$\{(TEST_NGINX_[A-Z0-9_]+)\}", value, text or "")

def configuration(block, place):
    """The text of nginx.conf, in the order of directives that the blocks were written for."""
    s, given = block["sections"], block["settings"]
    names = place.names
    text = lambda key: expand(joined(s.get(key)), names)
    level = (joined(s.get("log_level")) or given["log_level"]).strip()
    log = joined(s.get("error_log_file")) or place.log
    root = "" if not given["root_location"] else f"""        location / {{
            root {place.prefix}/html;
            index index.html index.htm;
        }}
"""
    env = "".join(f"env {name};\n" for name in given["env"])
    return f"""worker_processes  {given['workers']};
daemon off;
master_process {'on' if given['master'] else 'off'};
error_log {log} {level};
pid       {place.prefix}/logs/nginx.pid;
env MOCKEAGAIN_VERBOSE;
env MOCKEAGAIN;
env MOCKEAGAIN_WRITE_TIMEOUT_PATTERN;
env LD_PRELOAD;
env LD_LIBRARY_PATH;
env DYLD_INSERT_LIBRARIES;
env DYLD_FORCE_FLAT_NAMESPACE;
{env}#env LUA_PATH;
#env LUA_CPATH;

{text('main_config')}

http {{
    access_log {place.prefix}/logs/access.log; client_body_temp_path {place.prefix}/client_body_temp; proxy_temp_path {place.prefix}/proxy_temp;
    #access_log off;

    default_type text/plain;
    keepalive_timeout  68000ms;

{text('http_config')}
    server {{
        listen          {place.port};
        #placeholder
        server_name     '{(joined(s.get('server_name')) or 'localhost').strip()}';

        client_max_body_size 30M;
        #client_body_buffer_size 4k;

        # Begin preamble config...

        # End preamble config...

        # Begin test case config...
{text('config')}
        # End test case config.

{root}    }}

}}

#timer_resolution 100ms;

events {{
    accept_mutex off;

    worker_connections  64;
}}

{text('post_main_config')}
"""

def joined(value):
    if isinstance(value, list):
        return "".join(joined(one) for one in value)
    return value if isinstance(value, str) else ""

def user_files(value, folder):
    """`>>> name [time]` and its text, again and again."""
    if isinstance(value, list):
        for name, text in value:
            write_file(os.path.join(folder, name), text)
        return
    for part in re.split(r"(?m)^>>> ", value or "")[1:]:
        head, _, body = part.partition("\n")
        name = head.split()[0]
        body = re.sub(r"\n+\Z", "\n", body) if body.strip() else body.strip("\n")
        write_file(os.path.join(folder, name), body)
        if (stamp := re.search(r"\s(\d{12})(?:\.(\d\d))?$", head)):
            at = time.mktime(time.strptime(stamp[1], "%Y%m%d%H%M")) + int(stamp[2] or 0)
            os.utime(os.path.join(folder, name), (at, at))

def write_file(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(text.encode("latin-1"))

# ---------------------------------------------------------------- requests

def requests(sections):
    """What to send, one after another: bytes, or a list of (bytes, delay before)."""
    if (raw := sections.get("raw_request")) is not None:
        many = raw if isinstance(raw, list) else [raw]
        delay = float(joined(sections.get("raw_request_middle_delay")) or 0)
        if many and isinstance(many[0], list):
            return [[(part.encode("latin-1"), delay) for part in one] for one in many]
        if delay:
            return [[(part.encode("latin-1"), delay if at else 0) for at, part in enumerate(many)]]
        return [[(one.encode("latin-1"), 0)] for one in many]
    if (piped := sections.get("pipelined_requests")) is not None:
        headers = headers_of(sections, 0)
        parts = [compose(one, headers, last=at == len(piped) - 1) for at, one in enumerate(piped)]
        return [[(b"".join(parts), 0)]]
    asked = sections.get("request")
    many = asked if isinstance(asked, list) else [asked]
    return [[(compose(one, headers_of(sections, at)), 0)] for at, one in enumerate(many) if one]

def headers_of(sections, at):
    given = sections.get("more_headers", "")
    if isinstance(given, list):
        given = given[at] if at < len(given) else ""
    lines = [line.strip("\r\n") for line in (given or "").split("\n")]
    return [line for line in lines if line.strip()]

def compose(text, headers, last=True):
    if isinstance(text, list):                     # a body given in parts
        text = "".join(part if isinstance(part, str) else part.get("value", "") for part in text)
    text = text.lstrip("\n") if text.lstrip(" \t\r\n")[:1].isalpha() else text
    line, _, body = text.lstrip().partition("\n")
    line = re.sub(r"[\r\n]+$", "", line)
    words = re.match(r"(\S+)\s+(.*?)(?:\s+(HTTP/\d\.\d))?\s*$", line)
    method, target, version = (words[1], words[2], words[3] or "HTTP/1.1") if words else (line, "", "HTTP/1.1")
    body = re.sub(r"\n\Z", "", body) if method not in ("POST", "PUT", "PATCH") else body
    body = body[:-1] if body.endswith("\n") else body
    named = {line.split(":")[0].strip().lower() for line in headers}
    out = [f"{method} {target} {version}"]
    if "host" not in named:
        out.append("Host: localhost")
    if "connection" not in named:
        out.append("Connection: " + ("close" if last else "keep-alive"))
    out += [line for line in headers if not re.match(r"(?i)[\w-]+:\s*$", line) or True]
    if body and "content-length" not in named and "transfer-encoding" not in named:
        out.append(f"Content-Length: {len(body.encode('latin-1'))}")
    return ("\r\n".join(out) + "\r\n\r\n" + body).encode("latin-1")

def talk(port, parts, seconds, abort):
    """Sends the parts, reads to the end of the connection; what came, and whether time was up."""
    received, late = b"", False
    until = time.time() + seconds
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
            for bytes_, delay in parts:
                time.sleep(delay)
                client.sendall(bytes_)
            while True:
                left = until - time.time()
                if left <= 0:
                    late = True
                    break
                client.settimeout(left)
                piece = client.recv(65536)
                if not piece:
                    break
                received += piece
                if not abort and is_whole(received, parts):
                    break
    except socket.timeout:
        late = True
    except OSError:
        pass
    return received, late

def is_whole(received, parts):
    """Whether the one answer is there, on a connection that would stay."""
    sent = b"".join(bytes_ for bytes_, _ in parts)
    if b"\r\n\r\n" not in received or re.search(rb"(?i)\r\nconnection:\s*close", sent):
        return False
    if len(re.findall(rb"(?m)^[A-Z]+ \S+ HTTP/1", sent)) > 1:
        return False
    answer, rest = parse(received, sent.startswith(b"HEAD "))
    return answer is not None and answer["whole"]

def parse(received, to_head=False):
    """The first answer in what came, and what follows it."""
    head, sep, rest = received.partition(b"\r\n\r\n")
    if not sep or not head.startswith(b"HTTP/"):
        return None, b""
    lines = head.split(b"\r\n")
    status = int(lines[0].split()[1])
    if status == 100:
        return parse(rest, to_head)
    fields = [tuple(part.strip() for part in line.split(b":", 1)) for line in lines[1:] if b":" in line]
    named = {}
    for name, value in fields:
        named.setdefault(name.lower(), []).append(value)
    answer = {"status": status, "fields": named, "head": head, "whole": True}
    if to_head or status in (204, 304):
        return dict(answer, body=b""), rest
    if b"chunked" in named.get(b"transfer-encoding", [b""])[0].lower():
        body, rest, whole = chunks(rest)
        return dict(answer, body=body, whole=whole), rest
    if b"content-length" in named:
        length = int(named[b"content-length"][0])
        return dict(answer, body=rest[:length], whole=len(rest) >= length), rest[length:]
    return dict(answer, body=rest, whole=False), b""

def chunks(rest):
    body = b""
    while True:
        size, sep, after = rest.partition(b"\r\n")
        try:
            length = int(size.split(b";")[0], 16)
        except ValueError:
            return body, rest, False
        if not sep:
            return body, rest, False
        if length == 0:
            end = after.find(b"\r\n")
            return body, after[end + 2:] if end >= 0 else b"", end >= 0
        if len(after) < length + 2:
            return body + after[:length], b"", False
        body, rest = body + after[:length], after[length + 2:]

# ---------------------------------------------------------------- the server

class Place:
    """A folder and a port of one worker of the run."""
    def __init__(self, index, base, checkout):
        self.prefix = os.path.join(base, f"servroot{index}")
        self.checkout = checkout
        self.port = 21984 + 20 * index
        self.log = os.path.join(self.prefix, "logs", "error.log")
        names = {name: value for name, value in os.environ.items() if name.startswith("TEST_NGINX_")}
        self.names = dict(names, TEST_NGINX_SERVER_PORT=str(self.port), SERVER_PORT=str(self.port),
                          TEST_NGINX_PORT=str(self.port), TEST_NGINX_HTML_DIR=self.prefix + "/html",
                          TEST_NGINX_SERVER_ROOT=self.prefix, TEST_NGINX_CERT_DIR=os.path.join(checkout, "t"))
        for index, name in enumerate(("RAND_PORT_1", "RAND_PORT_2", "RAND_PORT_3")):
            self.names["TEST_NGINX_" + name] = str(self.port + 1 + index)
        self.names["TEST_NGINX_TCP_LISTEN_PORT"] = str(self.port + 5)
        for name, port in (("MEMCACHED_PORT", 11211), ("REDIS_PORT", 6379), ("MYSQL_PORT", 3306)):
            self.names.setdefault("TEST_NGINX_" + name, str(port))
        self.names.setdefault("TEST_NGINX_RESOLVER", "127.0.0.1")
        self.names.setdefault("TEST_NGINX_DIR", checkout)

    def localized(self, value):
        """The place's own port and folder, in what perl evaluated with a mark in their stead."""
        text = json.dumps(value)
        text = text.replace(PORT_MARK, str(self.port)).replace("/servroot-mark", self.prefix)
        return json.loads(text)

    def clean(self):
        shutil.rmtree(self.prefix, ignore_errors=True)
        self.link_certificates()
        for folder in ("conf", "html", "logs"):
            os.makedirs(os.path.join(self.prefix, folder))

    def link_certificates(self):
        """The checkout's certificates stand where its blocks look for them: beside the server's tree."""
        there = os.path.join(self.checkout, "t", "cert")
        link = os.path.join(os.path.dirname(self.prefix), "cert")
        if os.path.isdir(there) and not os.path.lexists(link):
            try:
                os.symlink(there, link)
            except FileExistsError:
                pass

def start(place, command):
    conf = os.path.join(place.prefix, "conf", "nginx.conf")
    args = [word.replace("{conf}", conf).replace("{log}", place.log).replace("{prefix}", place.prefix)
            for word in command]
    out = open(os.path.join(place.prefix, "logs", "out"), "wb")
    server = subprocess.Popen(args, stdout=out, stderr=out, cwd=place.prefix)
    until = time.time() + 60
    while time.time() < until:
        if server.poll() is not None:
            return server
        try:
            socket.create_connection(("127.0.0.1", place.port), timeout=1).close()
            return server
        except OSError:
            time.sleep(0.02)
    return server

def stop(server):
    if server.poll() is None:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
            return False
    return True

def helpers(sections):
    """Small servers that a block asks for: `tcp_listen`, `udp_listen`."""
    made = []
    for kind in ("tcp", "udp"):
        port = joined(sections.get(kind + "_listen")).strip()
        if not port:
            continue
        family = socket.AF_UNIX if "/" in port else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_UNIX and os.path.exists(port):
            os.unlink(port)
        sock.bind(port if family == socket.AF_UNIX else ("127.0.0.1", int(port)))
        threading.Thread(target=serve_tcp if kind == "tcp" else serve_udp, args=(sock, sections), daemon=True).start()
        made.append(sock)
    return made

def replies(sections, kind):
    reply = sections.get(kind + "_reply", "")
    return [one.encode("latin-1") for one in (reply if isinstance(reply, list) else [reply]) if isinstance(one, str)]

def serve_tcp(sock, sections):
    sock.listen(8)
    if sections.get("tcp_shutdown") is not None:
        time.sleep(0.1)
    try:
        while True:
            client, _ = sock.accept()
            client.settimeout(1)
            wanted = int(joined(sections.get("tcp_query_len")) or 0)
            got = b""
            try:
                while len(got) < max(wanted, 1):
                    piece = client.recv(4096)
                    if not piece:
                        break
                    got += piece
            except OSError:
                pass
            delay = joined(sections.get("tcp_reply_delay")).strip()
            time.sleep(seconds(delay) if delay else 0)
            for one in replies(sections, "tcp"):
                client.sendall(one)
            if sections.get("tcp_no_close") is None:
                client.close()
            else:
                sections.setdefault("kept", []).append(client)
    except OSError:
        pass

def serve_udp(sock, sections):
    try:
        while True:
            _, peer = sock.recvfrom(65536)
            delay = joined(sections.get("udp_reply_delay")).strip()
            time.sleep(seconds(delay) if delay else 0)
            for one in replies(sections, "udp"):
                sock.sendto(one, peer)
    except OSError:
        pass

def seconds(text):
    return float(text[:-2]) / 1000 if text.endswith("ms") else float(text.rstrip("s"))

# ---------------------------------------------------------------- a block

INDEX = "<html><head><title>It works!</title></head><body>It works!</body></html>"

def run_block(block, place, command):
    """The first thing that does not hold; none: the block passes."""
    block = place.localized(block)
    s = block["sections"]
    if block["faults"]:
        return "unread: " + block["faults"][0][:150]
    place.clean()
    text = configuration(block, place)
    write_file(os.path.join(place.prefix, "conf", "nginx.conf"), text)
    write_file(os.path.join(place.prefix, "html", "index.html"), INDEX)
    files = s.get("user_files")
    user_files(expand(files, place.names) if isinstance(files, str) else files, os.path.join(place.prefix, "html"))
    for name in ("tcp_listen", "udp_listen"):
        if name in s:
            s[name] = expand(joined(s[name]), place.names)
    made = helpers(s)
    server = start(place, command)
    try:
        return judge(block, place, server)
    finally:
        clean_end = stop(server)
        for sock in made:
            sock.close()

def judge(block, place, server):
    s = block["sections"]
    dies = "must_die" in s
    if server.poll() is not None:
        if not dies:
            return "did not start: " + tail(place)
        return judge_log(s, place)
    if dies:
        return "started, and must not"
    patience = float(joined(s.get("timeout")).strip().rstrip("s") or 3) if s.get("timeout") else PATIENCE
    answers = []
    for at, parts in enumerate(requests(s)):
        parts = [(bytes_.replace(b"$ServerPort", str(place.port).encode()), delay) for bytes_, delay in parts]
        received, late = talk(place.port, parts, patience, "abort" in s)
        answers.append((parts, received, late))
    if (wait := joined(s.get("wait")).strip()):
        time.sleep(float(wait))
    fault = None if "ignore_response" in s else judge_answers(s, answers)
    if fault:
        return fault + first_error(place)
    for name in ("shutdown_error_log", "no_shutdown_error_log"):
        if name in s:
            stop(server)
            break
    return settled(s, place)

def settled(s, place):
    """What the log says in the end: its last lines may come after the answer."""
    until = time.time() + 1.5
    while True:
        fault = judge_log(s, place)
        if not fault or not fault.startswith("log has no") or time.time() > until:
            return fault
        time.sleep(0.05)

def first_error(place):
    """What the log says first, to help with a status that was not wanted."""
    try:
        log = open(place.log, "rb").read().decode("latin-1")
    except OSError:
        return ""
    found = re.search(r"(?m)^\S+ \S+ \[(?:error|warn|crit)\] \S+ (.*)$", log)
    return f" | {found[1][:200]}" if found else ""

def judge_answers(s, answers):
    if "pipelined_requests" in s:
        parts, received, late = answers[0]
        split, rest = [], received
        for _ in s["pipelined_requests"]:
            answer, rest = parse(rest)
            split.append(answer)
        answers = [(parts, answer, late) for answer in split]
    else:
        answers = [(parts, parse(received, parts[0][0].startswith(b"HEAD "))[0] or
                    http09(s, received), late) for parts, received, late in answers]
    for at, (_, answer, late) in enumerate(answers):
        if answer is None:
            wanted = item(s, "error_code", at)
            if wanted is not None and str(wanted).strip() == "":
                continue
            return ("timed out" if late else "no answer") + f" (request {at + 1})"
        fault = judge_answer(s, at, answer)
        if fault:
            return fault + (f" (request {at + 1})" if len(answers) > 1 else "")
        if late and "abort" not in s and not answer["whole"] and b"content-length" in answer["fields"]:
            return "timed out"
    return None

def http09(s, received):
    if "http09" in s:
        return {"status": 200, "fields": {}, "head": b"", "body": received, "whole": True}
    return None

def item(s, name, at):
    value = s.get(name)
    if isinstance(value, list):
        return value[at] if at < len(value) else None
    return value

def judge_answer(s, at, answer):
    wanted = item(s, "error_code", at)
    if "error_code_like" in s:
        if not pattern(item(s, "error_code_like", at)).search(str(answer["status"]).encode()):
            return f"status {answer['status']}"
    elif str(wanted if wanted not in (None, "") else 200).strip() != str(answer["status"]):
        return f"status {answer['status']}, wanted {str(wanted or 200).strip()}"
    if (raw := item(s, "raw_response_headers_like", at)) is not None:
        if not pattern(raw.strip() if isinstance(raw, str) else raw, re.S | re.M).search(answer["head"] + b"\r\n"):
            return f"head is not like {raw!r:.80}"
    if (raw := item(s, "raw_response_headers_unlike", at)) is not None:
        if pattern(raw.strip() if isinstance(raw, str) else raw, re.S | re.M).search(answer["head"] + b"\r\n"):
            return f"head is like {raw!r:.80}"
    for name in ("response_headers", "response_headers_like"):
        fault = judge_headers(item(s, name, at), answer, name.endswith("like"))
        if fault:
            return fault
    body = answer["body"]
    if (wanted := item(s, "response_body", at)) is not None and not ("ignore_response_body" in s):
        if is_regex(wanted):
            if not pattern(wanted, re.S | re.M).search(body):
                return f"body {body!r:.120}, wanted like {wanted['regex']!r:.120}"
        elif same_objects(body, joined(wanted)) != joined(wanted).encode("latin-1"):
            return f"body {body!r:.160}, wanted {joined(wanted)!r:.160}"
    if (wanted := item(s, "response_body_like", at)) is not None:
        if not pattern(wanted if is_regex(wanted) else wanted.rstrip("\n") if wanted.endswith("\n") and body[-1:] != b"\n" else wanted, re.S | re.M).search(body):
            return f"body {body!r:.160} is not like {wanted!r:.160}"
    if (wanted := item(s, "response_body_unlike", at)) is not None:
        if pattern(wanted, re.S | re.M).search(body):
            return f"body {body!r:.100} is like {wanted!r:.100}"
    if "stap_out_never" in s:
        return None
    return None

def same_objects(body, wanted):
    """What LuaJIT's ffi made is `cdata` there; here, without ffi, any object is `userdata`."""
    return body.replace(b"userdata", b"cdata") if "cdata" in wanted else body

def judge_headers(wanted, answer, like):
    for line in (wanted or "").split("\n"):
        if not line.strip():
            continue
        if line.startswith("!"):
            if (name := line[1:].split(":")[0].strip().lower().encode()) in answer["fields"]:
                return f"field {name.decode()}: {answer['fields'][name]!r} is there"
            continue
        name, _, value = line.partition(":")
        got = b", ".join(answer["fields"].get(name.strip().lower().encode("latin-1"), []))
        value = value.strip().encode("latin-1")
        if like and not re.search(b"^" + value + b"$", got) or not like and got != value:
            return f"field {name.strip()}: {got!r}, wanted {value!r:.80}"
    return None

def judge_log(s, place):
    if IGNORES_LOG and "must_die" not in s:
        return None
    try:
        log = open(place.log, "rb").read()
    except OSError:
        log = b""
    if "must_die" in s:
        log += open(os.path.join(place.prefix, "logs", "out"), "rb").read()
    for name in ("error_log", "shutdown_error_log"):
        for wanted in as_list(s.get(name)):
            if not contains(log, wanted):
                return f"log has no {text_of(wanted)!r:.140}"
    for name in ("no_error_log", "no_shutdown_error_log"):
        for unwanted in as_list(s.get(name)):
            if contains(log, unwanted):
                return f"log has {text_of(unwanted)!r:.60}: {line_with(log, unwanted)!r:.200}"
    if (grep := s.get("grep_error_log")) is not None:
        found = b"".join(m[0] if m[0].endswith(b"\n") else m[0] + b"\n" for m in pattern(grep if is_regex(grep) else re.escape(grep.strip())).finditer(log))
        out = s.get("grep_error_log_out")
        out = out[0] if isinstance(out, list) else out
        if is_regex(out):
            if not pattern(out, 0).search(found):
                return f"grep of log {found!r:.150}, wanted like {out['regex']!r:.150}"
        elif found != (out or "").encode("latin-1"):
            return f"grep of log {found!r:.150}, wanted {out!r:.150}"
    return None

def as_list(value):
    if value is None:
        return []
    if isinstance(value, list):
        return [one for one in value if one not in (None, "")]
    if isinstance(value, str):
        return [line for line in value.split("\n") if line.strip()]
    return [value]

def text_of(wanted):
    return wanted["regex"] if is_regex(wanted) else wanted

def contains(log, wanted):
    if is_regex(wanted):
        return any(pattern(wanted).search(line) for line in [log])
    return wanted.rstrip("\n").encode("latin-1") in log

def line_with(log, wanted):
    for line in log.split(b"\n"):
        if contains(line, wanted):
            return line.decode("latin-1")
    return ""

def tail(place):
    text = open(os.path.join(place.prefix, "logs", "out"), "rb").read()[-300:]
    try:
        text += open(place.log, "rb").read()[-300:]
    except OSError:
        pass
    return text.decode("latin-1").replace("\n", " ")

# ---------------------------------------------------------------- the run

def main():
    args = arguments()
    globals()["PATIENCE"] = args.patience
    globals()["IGNORES_LOG"] = args.ignore_log
    files = [os.path.abspath(path) for path in args.files]
    places = queue.Queue()
    for index in range(args.jobs):
        places.put(Place(args.first + index, args.folder, args.checkout))
    results = {}
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        futures = []
        for path in files:
            name = os.path.relpath(path, args.checkout)
            blocks = read_blocks(path, "/servroot-mark", args.checkout)
            for at, block in enumerate(blocks):
                if args.only and not re.search(args.only, block["name"]):
                    continue
                if args.skip and re.search(args.skip, block["name"]):
                    continue
                if not runs(block):
                    continue
                futures.append(pool.submit(one, block, places, args.command))
                futures[-1].key = (name, at, block["name"])
        for future in futures:
            results[future.key] = future.result()
            fault = results[future.key]
            if args.verbose or (fault and not args.quiet):
                print(("ok   " if fault is None else "FAIL "), future.key[0], future.key[2], "--", fault, flush=True)
    report(results, args)
    return 1 if args.strict and any(results.values()) else 0

def runs(block):
    s = block["sections"]
    return not any(name in s for name in SKIPPED_SECTIONS)

def one(block, places, command):
    place = places.get()
    try:
        return run_block(block, place, command)
    except Exception as error:                      # a fault of the runner is one of the block
        return f"runner: {error!r}"
    finally:
        places.put(place)

def report(results, args):
    table = {}
    for (name, _, _), fault in results.items():
        passed, all_ = table.get(name, (0, 0))
        table[name] = (passed + (fault is None), all_ + 1)
    for name, (passed, all_) in sorted(table.items()):
        print(f"{passed:4} of {all_:4}  {name}")
    passed = sum(fault is None for fault in results.values())
    print(f"{passed:4} of {len(results):4}  in all")
    if args.page:
        page(args.page, args.mark, results)
    if args.json:
        rows = [{"file": name, "block": title, "number": at + 1, "fault": fault}
                for (name, at, title), fault in results.items()]
        with open(args.json, "w") as file:
            json.dump(rows, file, indent=0)

# What a file's blocks are about, by its name; the first that fits.
FAMILIES = (
    ("cosockets", r"(tcp|udp|unix|raw-req|req|idle|bad)-sock|cosocket|socket|memcached|redis|mysql|receiveuntil|slow-network"),
    ("TLS", r"ssl|tls"),
    ("subrequests and exec", r"subreq|multi-capture|exec|020-|055-"),
    ("timers", r"timer"),
    ("light threads and coroutines", r"uthread|coroutine|thread-cache|semaphore"),
    ("computing aside", r"worker-thread|threads\.t"),
    ("clients that go away", r"abort"),
    ("request: headers", r"req-header|raw-header|req-misc|req-start|req-http-ver|req-method|088|137"),
    ("request: arguments and body", r"(uri|post)-args|request_body|req-body"),
    ("responses", r"status|resp-header|redirect|say|flush|eof|iolist|etag|conditional|default-type|echo|002-content|exit\.t|values"),
    ("filters and log", r"filter|logby|009-log|/log\.t|error-log"),
    ("variables and context", r"ngx-var|ctx|set\.t|prefix-var|hup-vars|085-if|global-var|rewriting"),
    ("patterns", r"match|gmatch|sub|re-find"),
    ("shared dictionaries", r"shdict|shm"),
    ("encoding, digests, time", r"escape|md5|sha1|crc32|hmac|base64|quote-sql|today|now|time|cookie"),
    ("balancer", r"balancer"),
    ("phases and workers", r"phase|init|worker|rewrite|access|precontent|satisfy|auth|sanity|mixed|postpone|signal|config|version|sleep|exit"),
    ("locations, files and upstreams", r"location|content"),
    ("language and loading", r"."),
)

def family(name):
    return next(title for title, pattern in FAMILIES if re.search(pattern, name))

def page(path, mark, results):
    """Puts the table between the marks of a page."""
    table = {}
    for (name, _, _), fault in results.items():
        passed, all_ = table.get(family(name), (0, 0))
        table[family(name)] = (passed + (fault is None), all_ + 1)
    rows = [(title, *table[title]) for title, _ in FAMILIES if title in table]
    rows.append(("in all", sum(row[1] for row in rows), sum(row[2] for row in rows)))
    lines = ["| Blocks about | pass | of |", "| --- | ---: | ---: |"]
    lines += [f"| {title} | {here} | {there} |" for title, here, there in rows]
    with open(path, encoding="utf-8") as file:
        text = file.read()
    start, end = f"<!-- {mark} -->", f"<!-- end of {mark} -->"
    before, _, rest = text.partition(start)
    _, _, after = rest.partition(end)
    with open(path, "w", encoding="utf-8") as file:
        file.write(before + start + "\n" + "\n".join(lines) + "\n" + end + after)

def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("--checkout", default=os.getcwd(), help="the folder above the files")
    parser.add_argument("--command", default="target/debug/moongate run --nginx {conf} --error-log {log}", help="how the server is started")
    parser.add_argument("--folder", default="/tmp/moongate-openresty", help="where server trees are made")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--first", type=int, default=0, help="the number of the first server tree and port")
    parser.add_argument("--json", help="a file for all results")
    parser.add_argument("--patience", type=float, default=3.0, help="seconds for an answer where a block says nothing")
    parser.add_argument("--page", help="a page whose table is written anew")
    parser.add_argument("--mark", default="lua-nginx-module", help="which table of it: what its marks say")
    parser.add_argument("--only", help="a pattern of block names")
    parser.add_argument("--skip", help="a pattern of block names that are left out")
    parser.add_argument("--ignore-log", action="store_true", help="what the error log says is not judged")
    parser.add_argument("--quiet", action="store_true", help="only the table")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--strict", action="store_true", help="exit 1 if a block fails")
    args = parser.parse_args()
    words = args.command.split()
    words[0] = os.path.abspath(words[0]) if "/" in words[0] else words[0]
    args.command, args.checkout = words, os.path.abspath(args.checkout)
    args.folder = os.path.abspath(args.folder)
    return args

if __name__ == "__main__":
    sys.exit(main())
