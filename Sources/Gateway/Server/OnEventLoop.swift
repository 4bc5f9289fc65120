import Concurrency
import HummingbirdCore
import Logging
import NIOCore

extension FunctionExecutor {
    /// Runs tasks on the thread of an event loop.
    convenience init(_ loop: any EventLoop) { self.init { loop.execute($0) } }
}

/// Connections whose requests are worked on by the thread that reads and writes them: no request waits for another
/// thread to wake up, unless for an answer from the bus.
struct OnEventLoop<Connection: ServerChildChannel>: ServerChildChannel {
    private let connection: Connection

    init(_ connection: Connection) { self.connection = connection }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Connection.Value> {
        connection.setup(channel: channel, logger: logger)
    }

    func handle(value: Connection.Value, logger: Logger) async {
        await withTaskExecutorPreference(FunctionExecutor(value.channel.eventLoop)) {
            await connection.handle(value: value, logger: logger)
        }
    }
}
