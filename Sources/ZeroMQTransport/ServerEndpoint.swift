internal import Concurrency
internal import Messages
internal import RPC
internal import ZeroMQ

/// A ROUTER and its peers.
///
/// Every peer that is refused or lost is banned by its route and its connection is shut down, so that it hears of it
/// at once. libzmq keeps the parts of an unfinished message without bound: a connection that delivers nothing whole is
/// shut down after the silence, or earlier when the heap has grown while it was sending.
final class ServerEndpoint: LoopEndpoint {
    private struct Peer {
        let receiver: any FrameReceiver
        let outbox: Outbox
        let descriptor: Int32
        let inode: UInt64?
        let key: CurvePublicKey?
        var lastHeard: MonotonicInstant
    }

    private struct Stranger {
        let inode: UInt64
        let since: MonotonicInstant
        let address: String?
    }

    private let number: UInt64
    private let socket: ZeroMQSocket
    private let monitor: SocketMonitor
    private let acceptor: ServerAcceptor
    private let loop: SocketLoop
    private var peers: [Route: Peer] = [:]
    /// Peers whose connection was reported lost while its descriptor was still open: libzmq reports before it closes.
    private var doubtful: Set<Route> = []
    /// Peers that have no room for what is in their outbox.
    private var blocked: Set<Route> = []
    /// Accepted connections that have not yet delivered a whole message.
    private var strangers: [Int32: Stranger] = [:]
    private var banned: Set<Route> = []
    private var banOrder: [Route] = []
    /// The heap in the last seconds, every 50 ms.
    private var recentHeap: [Int] = []
    private var nextMeasure = MonotonicInstant.now
    private var isClosed = false
    /// The failure of the connection that is reported lost next.
    private var handshakeFailure: SocketMonitor.HandshakeFailure?
    /// The list of keys that the peers were last held against.
    private var listGeneration: Int
    let descriptor: Int32
    let eventDescriptor: Int32?

    /// What suspects may make the heap grow.
    private static let heapGrowth = 256 << 20
    private static let measures = 60
    private static let maximumPeers = 4096
    private static let maximumBans = 4096

    init(
        _ number: UInt64, _ socket: ZeroMQSocket, _ monitor: SocketMonitor, _ acceptor: ServerAcceptor,
        _ loop: SocketLoop
    ) throws {
        self.number = number
        self.socket = socket
        self.monitor = monitor
        self.acceptor = acceptor
        self.loop = loop
        listGeneration = acceptor.keys?.generation ?? 0
        descriptor = try socket.descriptor()
        eventDescriptor = try monitor.descriptor()
    }

    var isOver: Bool { false }

    // MARK: Sending

    func send(_ route: Route) throws {
        guard let outbox = peers[route]?.outbox else { return }
        do {
            let isSent = try outbox.flush { try send($0, to: route) }
            if isSent { blocked.remove(route) } else { blocked.insert(route) }
        } catch let error as ZeroMQError where error.isHostUnreachable {
            lose(route, "its connection is gone")
        }
    }

    private func send(_ packet: [UInt8], to route: Route) throws -> Bool {
        guard try route.bytes.withSpan({ try socket.send($0, more: true) }) else { return false }
        // libzmq takes a message's later parts whenever it took its first.
        return try packet.withSpan { try socket.send($0, more: false) }
    }

    func sendAhead(_ route: Route) -> Bool {
        guard let outbox = peers[route]?.outbox, !blocked.contains(route) else { return false }
        // An error comes again when the loop sends, which can say so to the receiver.
        let isSent = outbox.flush { (try? send($0, to: route)) ?? false }
        return isSent && !socket.mayReceive
    }

    func flush() throws -> Bool {
        for route in blocked { try send(route) }
        return !blocked.isEmpty
    }

    // MARK: Receiving

    func receive(limit: Int) throws -> Bool {
        for _ in 0..<limit {
            guard try socket.receive(parts: 2, deliver) else { return false }
        }
        return true
    }

    private func deliver(_ span: RawSpan, _ packet: RawSpan, _ source: Int32) throws {
        guard let route = Route(span) else {
            // It chose its own name.
            if let inode = Connection.inode(of: source) { Connection.shutDown(source, inode: inode) }
            return
        }
        if let peer = peers[route] {
            peers[route]?.lastHeard = .now
            doubtful.remove(route)
            peer.receiver.heard()
            var frames = 0, isThere = true
            try Packet.forEachFrame(in: packet) { header, body in
                guard isThere else { return }
                peer.receiver.receive(header, body)
                frames += 1
                guard frames % SocketLoop.replyBurst == 0 else { return }
                try send(route)
                // Sending may have shown that it is gone.
                isThere = peers[route] != nil
            }
            return
        }
        guard !banned.contains(route) else { return }
        let inode = Connection.inode(of: source)
        strangers[source] = nil
        let key = socket.senderKey
        // Asked for once more, so that nobody comes in while nobody answers libzmq.
        let isAdmitted = acceptor.keys.map { keys in key.map { keys.admits($0) } ?? false } ?? true
        guard isAdmitted, peers.count < Self.maximumPeers else {
            ban(route)
            if let inode { Connection.shutDown(source, inode: inode) }
            return
        }
        let outbox = Outbox()
        let receiver = acceptor.accept(
            ServerLink(endpoint: number, route: route, outbox: outbox, loop: loop))
        peers[route] = Peer(
            receiver: receiver, outbox: outbox, descriptor: source, inode: inode, key: key,
            lastHeard: .now)
        Packet.forEachFrame(in: packet, receiver.receive)
    }

    func receiveEvents() throws {
        while let event = try monitor.next() {
            switch event {
            case .accepted(let descriptor):
                if let inode = Connection.inode(of: descriptor), !peers.values.contains(where: { $0.inode == inode }) {
                    strangers[descriptor] = Stranger(
                        inode: inode, since: .now, address: Connection.peerAddress(of: descriptor))
                }
            case .handshakeFailed(let failure): handshakeFailure = failure
            case .disconnected(let descriptor):
                reportRefusal(of: descriptor)
                strangers[descriptor] = nil
                doubtful.formUnion(peers.filter { $0.value.descriptor == descriptor }.keys)
                loseDoubtful()
            case .handshakeDone, .connectFailed: break
            }
        }
    }

    /// Peers with a missing or wrong key are reported by the admission handler instead.
    private func reportRefusal(of descriptor: Int32) {
        defer { handshakeFailure = nil }
        let reason: Refusal.Reason
        switch handshakeFailure {
        case .otherMechanism: reason = .otherMechanism(hasKeys: acceptor.keys != nil)
        case .wrongServerKey: reason = .wrongServerKey
        case .ended, .malformed, .notAdmitted, nil: return
        }
        acceptor.refusals.refused(Refusal(address: strangers[descriptor]?.address, reason: reason))
    }

    // MARK: Losing peers

    /// Loses those whose descriptor is closed, or is another connection's by now. The rest are looked at again: theirs
    /// may be about to be closed, or they came with the number of one that was lost.
    private func loseDoubtful() {
        for route in doubtful {
            guard let peer = peers[route] else {
                doubtful.remove(route)
                continue
            }
            if Connection.inode(of: peer.descriptor) != peer.inode { lose(route, "it disconnected") }
        }
    }

    private func forget(_ route: Route) -> Peer? {
        blocked.remove(route)
        doubtful.remove(route)
        let peer = peers.removeValue(forKey: route)
        peer?.outbox.close()
        return peer
    }

    private func lose(_ route: Route, _ reason: String) {
        guard let peer = forget(route) else { return }
        ban(route)
        peer.receiver.linkDown(reason)
    }

    /// Ends the peer's connection from this side.
    func closePeer(_ route: Route) {
        guard let peer = forget(route) else { return }
        ban(route)
        if let inode = peer.inode { Connection.shutDown(peer.descriptor, inode: inode) }
    }

    /// libzmq never gives a route twice, so forgetting the oldest bans lets nobody back in who is still connected
    /// for long: the silence ends such a connection on its own side.
    private func ban(_ route: Route) {
        guard banned.insert(route).inserted else { return }
        banOrder.append(route)
        if banOrder.count > Self.maximumBans { banned.remove(banOrder.removeFirst()) }
    }

    /// Disconnects whose key was taken off the list.
    private func holdAgainstList() {
        guard let keys = acceptor.keys, keys.generation != listGeneration else { return }
        listGeneration = keys.generation
        for (route, peer) in peers {
            guard let key = peer.key, !keys.admits(key) else { continue }
            let address = Connection.peerAddress(of: peer.descriptor)
            if let inode = peer.inode { Connection.shutDown(peer.descriptor, inode: inode) }
            lose(route, "its key was taken off the list")
            acceptor.refusals.refused(Refusal(address: address, reason: .revoked(key.text)))
        }
    }

    func tick(_ now: MonotonicInstant) -> MonotonicInstant {
        holdAgainstList()
        var due = guardMemory(now)
        if !doubtful.isEmpty {
            loseDoubtful()
            due = min(due, now + .milliseconds(5))
        }
        for peer in peers.values { due = min(due, peer.receiver.tick(now)) }
        return due
    }

    /// - Returns: when to look again.
    private func guardMemory(_ now: MonotonicInstant) -> MonotonicInstant {
        for (descriptor, stranger) in strangers where now - stranger.since > acceptor.silence {
            Connection.shutDown(descriptor, inode: stranger.inode)
            strangers[descriptor] = nil
        }
        guard !strangers.isEmpty || !peers.isEmpty else { return now + .milliseconds(500) }
        if now >= nextMeasure {
            nextMeasure = now + .milliseconds(50)
            let heap = Heap.bytesInUse
            recentHeap.append(heap)
            if recentHeap.count > Self.measures { recentHeap.removeFirst() }
            if heap > (recentHeap.min() ?? heap) + Self.heapGrowth { dropSuspects(now) }
        }
        return nextMeasure
    }

    /// Shuts down whoever sends without finishing a message.
    private func dropSuspects(_ now: MonotonicInstant) {
        for (descriptor, stranger) in strangers where Connection.isReceiving(descriptor, tries: 50) {
            Connection.shutDown(descriptor, inode: stranger.inode)
        }
        for peer in peers.values where now - peer.lastHeard > acceptor.silence / 6 {
            guard let inode = peer.inode, Connection.isReceiving(peer.descriptor, tries: 50) else { continue }
            Connection.shutDown(peer.descriptor, inode: inode)
        }
    }

    func close(_ reason: String) {
        guard !isClosed else { return }
        isClosed = true
        // What was written before goes out, as far as there is room; libzmq lingers for it.
        for route in Array(peers.keys) { try? send(route) }
        monitor.close()
        socket.close()
        let lost = peers
        peers = [:]
        for peer in lost.values {
            peer.outbox.close()
            peer.receiver.linkDown(reason)
        }
    }
}
