"""Names that MicroPython has in ROM: a use of them costs no memory.

IN_ROM was found in both the interpreter of the simulator (1.29 preview) and the genuine file for
the ESP32 (1.25.0): a name that the interpreter does not keep anew, and that the file contains.
A name that another version lacks would only cost its memory there.
"""

from __future__ import annotations

IN_ROM = frozenset(
    """
AF_INET AF_INET6 ARRAY AUTO ArithmeticError AssertionError AttributeError Authorization BFINT16
BFINT32 BFINT8 BFUINT16 BFUINT32 BFUINT8 BF_LEN BF_POS BIG_ENDIAN BaseException BytesIO
CERT_NONE CERT_OPTIONAL CERT_REQUIRED CancelledError Connection DELETE DeflateIO Done EACCES
EADDRINUSE EAGAIN EALREADY EBADF ECONNABORTED ECONNREFUSED ECONNRESET EEXIST EHOSTUNREACH
EINPROGRESS EINVAL EIO EISDIR ENOBUFS ENODEV ENOENT ENOMEM ENOTCONN EOFError EOPNOTSUPP EPERM
ETIMEDOUT Ellipsis Event Exception FLOAT32 FLOAT64 FileIO FrameBuffer FrameBuffer1 GET GS2_HMSB
GS4_HMSB GS8 GZIP GeneratorExit HEAD Host INT INT16 INT32 INT64 INT8 IOBase IOQueue
IP_ADD_MEMBERSHIP ImportError IndentationError IndexError KeyError KeyboardInterrupt
LITTLE_ENDIAN LONG LONGLONG Lock LockType LookupError Loop MBEDTLS_VERSION MONO_HLSB MONO_HMSB
MONO_VLSB MVLSB MemoryError NATIVE NameError NoneType NotImplemented NotImplementedError
OSError OrderedDict OverflowError PATCH POLLERR POLLHUP POLLIN POLLOUT POST
PROTOCOL_DTLS_CLIENT PROTOCOL_DTLS_SERVER PROTOCOL_TLS_CLIENT PROTOCOL_TLS_SERVER PTR PUT RAW
RGB565 Response RingIO RuntimeError SHORT SOCK_DGRAM SOCK_RAW SOCK_STREAM SOL_SOCKET
SO_BROADCAST SO_REUSEADDR SSLContext SSLSocket Server Signal SingletonGenerator
StopAsyncIteration StopIteration Stream StreamReader StreamWriter StringIO SyntaxError
SystemExit Task TaskQueue TextIOWrapper ThreadSafeFlag TimeoutError TypeError UINT UINT16
UINT32 UINT64 UINT8 ULONG ULONGLONG USHORT UnicodeError VOID ValueError VfsFat VfsLfs2
ViperTypeError ZLIB ZeroDivisionError a2b_base64 abs abs_tol accept aclose acos acosh acquire
action add addressof aes all allocate_lock allowed_mip_url_prefixes any append appendleft arg
args argv array ascii asin asinh asyncio atan atan2 atanh attr aw awrite awritestr b2a_base64
backlog bin binascii bind blit bool bound_method branch buffer buffering builtins bytearray
bytearray_at bytecode byteorder bytes bytes_at cadata cafile calcsize call_exception_handler
callable cancel cb ceil center cert_reqs certfile chdir choice chr chunked cipher classmethod
clear client_id clock close closure cmath collect collections compile complex connect const
content context copy copysign core coro cos cosh count crc32 create_task cryptolib cur_task
current_task decode decrypt default default_exception_handler deflate degrees delattr delete
deleter deps deque dest dict dict_view difference difference_update digest dir disable discard
divmod do_handshake do_handshake_on_connect doc done drain dt dump dumps e ellipse enable
encode encoding encrypt end endswith enumerate er erf erfc errno errorcode eval event exc
exc_type exec execfile exit exp expm1 extend fabs factorial fileno fill fill_rect filter find
flags float floor flush fmod format framebuf frexp from_bytes fromhex fromkeys frozenset full
funcs gamma gather gc get get_ciphers get_event_loop get_exception_handler get_extra_info
get_ident getaddrinfo getattr getcwd getrandbits getter getvalue globals gmtime group hasattr
hash hashes hashlib head headers heap_lock heap_unlock heapify heappop heappush heapq help hex
hexlify hline host id idle idx ilistdir imag implementation index indices inf input insert
install int intersection intersection_update invert io ioctl ipoll is_set isalpha isclose
isdigit isdisjoint isenabled isfinite isinf isinstance islower isnan isspace issubclass
issubset issuperset isupper items iter iterable iterator join kbd_intr keepends keyfile keys
latest ldexp len lgamma libc_ver line list listdir listen little load load_cert_chain
load_verify_locations loads locals localtime locked log log10 log2 lookahead lower lstrip
machine main main_task makefile map match math max maxsize md5 mem16 mem32 mem8 mem_alloc
mem_free mem_info memoryview message method micropython min mkdir mkfs mktime modf modify
module modules mount mpy mtime name namedtuple nan native new_event_loop newline next object
oct off on open open_connection opt_level ord out_buf pack pack_into package package_json_url
parse_headers partition patch path peek peername pend_throw ph_key phase pi pixel platform
polar poll poller poly pop popitem popleft port post pow print print_exception progsize
property ps1 ps2 ptr ptr16 ptr32 ptr8 push put python_compiler qstr_info queue_read queue_write
radians randint random randrange range raw rb read readblocks readexactly readinto readline
readlines readonly readsize real rect recv recv_into recvfrom register rel_tol release remove
rename replace repr req request requesting return_exceptions reverse reversed rfind rindex
rmdir round rpartition rsplit rstrip run run_forever run_until_complete runq_len schedule
scroll search seed seek select self send sendall sendto sep separators server_hostname
server_side set set_ciphers set_exception_handler setattr setblocking setdefault setsockopt
setter settimeout sgen sha1 sha256 short_hash sin single sinh sizeof sleep sleep_ms sleep_us
slice sock socket soft_reset sort sorted split splitlines sqrt src ssl stack_size stack_use
start start_new_thread start_server startswith stat state staticmethod status_code statvfs
stderr stdin stdout step stop str stream stream_awrite strip struct sub sum super
symmetric_difference symmetric_difference_update sync sys sz tan tanh target tau tb tell text
threshold throw ticks ticks_add ticks_cpu ticks_diff ticks_ms ticks_us time time_ns
time_pulse_us timeout tls to_bytes trunc tuple type uctypes umount unhexlify uniform union
unlink unpack unpack_from unregister update upper urandom url urls usys val value values
verify_callback verify_mode version version_info vfs viper vline wait wait_closed wait_for
wait_for_ms wait_io_event waiter waiting waitq_len wb websocket wrap_socket write writeblocks
zip
""".split()
)

# What modules `machine`, `network` and `esp32` have on an ESP32, and their keywords.
OF_PORT = frozenset(
    """
ADC AP_IF ATTN_0DB ATTN_11DB ATTN_2_5DB ATTN_6DB BOOT DECREMENT DEEPSLEEP DEEPSLEEP_RESET
DRIVE_0 DRIVE_1 DRIVE_2 DRIVE_3 EXT0_WAKE EXT1_WAKE HARD_RESET HEAP_DATA HEAP_EXEC HOLD I2C
IF_AP IF_STA IN INCREMENT INV_CTS INV_RTS INV_RX INV_TX IRQ IRQ_BREAK IRQ_FALLING IRQ_RISING
IRQ_RX IRQ_RXIDLE LSB MSB NVS ONE_SHOT OPEN_DRAIN OUT PCNT PERIODIC PIN_WAKE PM_NONE
PM_PERFORMANCE PM_POWERSAVE PULL_DOWN PULL_UP PWM PWRON_RESET Partition Pin RMT RTC RUNNING
SLEEP SOFT_RESET SPI STAT_ASSOC_FAIL STAT_BEACON_TIMEOUT STAT_CONNECTING STAT_GOT_IP
STAT_HANDSHAKE_TIMEOUT STAT_IDLE STAT_NO_AP_FOUND STAT_WRONG_PASSWORD STA_IF SoftI2C SoftSPI
TIMER_WAKE TOUCHPAD_WAKE TYPE_APP TYPE_DATA Timer UART ULP ULP_WAKE WAKE_HIGH WAKE_LOW WDT
WDT_RESET WLAN active addrsize alarm alarm_left antenna atten authmode baudrate bits block
block_size board bssid calibration callback channel commit config country cts datetime
deactivate deepsleep deinit dhcp disable_irq disconnect drive duty duty_ns duty_u16 enable_irq
erase_key essid falling feed first firstbit flow freq get_blob get_i32 get_next_update
gpio_deep_sleep_hold handler hard hidden hostname idf_heap_info idf_task_info ifconfig info
init ipconfig irq isconnected key label lightsleep mac mark_app_valid_cancel_rollback
max_clients mcu_temperature memory miso mode mosi network parity part pause period phy_mode pin
pm polarity protocol pull raw_temperature read_into read_timed read_u16 read_uv readfrom
readfrom_into readfrom_mem readfrom_mem_into reconnects reset reset_cause rising rssi rts rx
rxbuf scan sck scl sda security sendbreak set_blob set_boot set_i32 set_next_update ssid status
subtype timeout_char trigger tx txbuf txdone txpower unique_id unit wake wake_on_ext0
wake_on_ext1 wake_on_gpio wake_on_touch wake_on_ulp wake_reason write_readinto writeto
writeto_mem writevto
""".split()
)

# MicroPython looks for these on an object of any class, or gives them a meaning of its own.
_LOOKED_FOR = frozenset(
    """
aclose append args bytecode cancel chdir close const coro data errno fileno flush getcwd
ilistdir ioctl items keys main main_task makefile match micropython mkdir mkfs module mount
native open pend_throw ph_key print range read readblocks readinto readline readlines recv
recv_into recvfrom remove rename rmdir seek self send stat state statvfs super throw umount
unlink value values viper write writeblocks
""".split()
)

FORMS = sorted(IN_ROM - _LOOKED_FOR)
