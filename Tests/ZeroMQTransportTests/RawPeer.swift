import Foundation

/// A peer that speaks ZMTP 3.0 byte by byte, to say what libzmq never would.
final class RawPeer {
    private let descriptor: Int32

    /// Connects to a unix socket.
    init(path: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8).prefix($0.count - 1)) }
        let code = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        if code != 0 { throw CocoaError(.fileNoSuchFile) }
    }

    /// Connects to this machine over tcp.
    init(port: UInt16) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let code = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        if code != 0 { throw CocoaError(.fileNoSuchFile) }
    }

    deinit {
        close(descriptor)
    }

    /// The greeting and the READY command of a DEALER, and the server's, read.
    func handshake() {
        var greeting: [UInt8] = [0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 3, 0]
        greeting += Array("NULL".utf8) + [UInt8](repeating: 0, count: 48)
        send(greeting)
        _ = read(64)
        let property = [11] + Array("Socket-Type".utf8) + [0, 0, 0, 6] + Array("DEALER".utf8)
        let ready = [5] + Array("READY".utf8) + property
        send([4, UInt8(ready.count)] + ready)
        if let head = read(2) { _ = read(Int(head[1])) }
    }

    /// - Returns: false when the peer has ended the connection.
    @discardableResult
    func send(_ bytes: [UInt8]) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Foundation.send(descriptor, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            if count <= 0 { return false }
            sent += count
        }
        return true
    }

    /// One part of a message.
    @discardableResult
    func send(part: [UInt8], more: Bool) -> Bool {
        let size = (0..<8).map { UInt8(truncatingIfNeeded: part.count >> (56 - 8 * $0)) }
        return send([more ? 3 : 2] + size + part)
    }

    /// `nil` when the connection ends before.
    func read(_ count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        var got = 0
        while got < count {
            let size = bytes.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress! + got, count - got, 0) }
            if size <= 0 { return nil }
            got += size
        }
        return bytes
    }

    /// Blocks until the other side ends the connection.
    func waitForEnd() {
        while read(1) != nil {}
    }
}
