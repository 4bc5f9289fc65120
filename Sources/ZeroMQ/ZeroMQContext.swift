internal import CZeroMQ

/// libzmq's context: its I/O thread and its inproc names.
package final class ZeroMQContext: @unchecked Sendable {  // libzmq's contexts are thread-safe
    let handle: UnsafeMutableRawPointer

    /// - Throws: `ZeroMQError`.
    package init(ioThreads: Int = 1) throws {
        guard let handle = zmq_ctx_new() else { throw ZeroMQError(operation: "zmq_ctx_new", number: zmq_errno()) }
        self.handle = handle
        zmq_ctx_set(handle, ZMQ_IO_THREADS, Int32(ioThreads))
        zmq_ctx_set(handle, ZMQ_MAX_SOCKETS, 16384)
        zmq_ctx_set(handle, ZMQ_BLOCKY, 0)
    }

    deinit {
        // Every socket keeps its context: none is open here, so this does not block.
        zmq_ctx_term(handle)
    }
}
