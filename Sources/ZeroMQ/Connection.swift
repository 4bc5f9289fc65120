internal import CLinux
internal import Glibc

/// Connections by their file descriptors, as a monitor or message names them.
package enum Connection {
    /// What tells a socket from a later one with the same descriptor.
    package static func inode(of descriptor: Int32) -> UInt64? {
        var status = stat()
        guard descriptor >= 0, fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK else { return nil }
        return UInt64(status.st_ino)
    }

    /// The peer's numeric address, without a port; `nil` where it has none.
    package static func peerAddress(of descriptor: Int32) -> String? {
        var address = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        let code = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address -> Int32 in
                guard getpeername(descriptor, address, &size) == 0, address.pointee.sa_family != sa_family_t(AF_UNIX)
                else { return -1 }
                return getnameinfo(address, size, &host, socklen_t(host.count), nil, 0, NI_NUMERICHOST)
            }
        }
        guard code == 0 else { return nil }
        return String(decoding: host.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Shuts the socket down, if it still is the same one; libzmq then reports and frees it.
    package static func shutDown(_ descriptor: Int32, inode: UInt64) {
        guard self.inode(of: descriptor) == inode else { return }
        shutdown(descriptor, Int32(SHUT_RDWR))
    }

    /// Whether bytes arrive that nobody has read yet; looks `tries` times, since libzmq reads fast.
    package static func isReceiving(_ descriptor: Int32, tries: Int) -> Bool {
        var byte: UInt8 = 0
        return (0..<tries).contains { _ in recv(descriptor, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT)) > 0 }
    }

    /// Whether somebody accepts connections at a socket file: libzmq would bind it a second time.
    package static func isListening(at path: String) -> Bool {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = [UInt8](path.utf8)
        let fits = withUnsafeMutableBytes(of: &address.sun_path) { buffer in
            guard bytes.count < buffer.count else { return false }
            buffer.copyBytes(from: bytes)
            return true
        }
        guard fits else { return false }
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
            }
        }
    }
}

/// The C heap, where libzmq keeps what has arrived.
package enum Heap {
    package static var bytesInUse: Int {
        let info = mallinfo2()
        return Int(info.uordblks) + Int(info.hblkhd)
    }
}
