import Concurrency
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(10)))
struct BoundedQueueTests {
    @Test("a full queue refuses and keeps its order")
    func full() {
        let queue = BoundedQueue<Int>(capacity: 2)
        #expect(queue.offer(1) == .accepted)
        #expect(queue.offer(2) == .accepted)
        #expect(queue.offer(3) == .full)
        #expect(queue.take() == 1)
        #expect(queue.offer(4) == .accepted)
        #expect(queue.takeAll() == [2, 4])
        #expect(queue.count == 0)
    }

    @Test("a closed queue gives what it holds and then nothing")
    func closed() async {
        let queue = BoundedQueue<Int>(capacity: 2)
        _ = queue.offer(1)
        queue.close()
        #expect(queue.offer(2) == .closed)
        #expect(await queue.next() == 1)
        #expect(await queue.next() == nil)
        #expect(queue.take() == nil)
    }

    @Test("a deadline ends a thread's wait")
    func deadline() {
        let queue = BoundedQueue<Int>(capacity: 1)
        #expect(queue.take(until: .now + .milliseconds(5)) == nil)
    }

    @Test("a thread's elements reach a task, a task's elements a thread, in order")
    func across() async throws {
        let there = BoundedQueue<Int>(capacity: 100_000)
        let back = BoundedQueue<Int>(capacity: 100_000)
        _ = try DedicatedThread(name: "echo") {
            while let element = there.take() { _ = back.offer(element) }
            back.close()
        }
        for number in 0..<10_000 { #expect(there.offer(number) == .accepted) }
        there.close()
        var expected = 0
        while let element = await back.next() {
            #expect(element == expected)
            expected += 1
        }
        #expect(expected == 10_000)
    }

    @Test("cancelling ends a task's wait")
    func cancelled() async {
        let queue = BoundedQueue<Int>(capacity: 1)
        let task = Task { await queue.next() }
        task.cancel()
        #expect(await task.value == nil)
    }
}

@Suite(.timeLimit(.minutes(10)))
struct MailboxTests {
    @Test("a sleeping owner is woken once, an awake one never")
    func wakes() {
        let wakes = Mutex(0)
        let mailbox = Mailbox<Int>(wake: { wakes.withLock { $0 += 1 } })
        mailbox.post(1)
        #expect(wakes.withLock { $0 } == 0)
        #expect(!mailbox.prepareToSleep(), "there is something to take")
        var batch: [Int] = []
        mailbox.take(into: &batch)
        #expect(batch == [1])
        #expect(mailbox.prepareToSleep())
        mailbox.post(2)
        mailbox.post(3)
        #expect(wakes.withLock { $0 } == 1)
    }

    @Test("who claims a sleeping owner's work lets it sleep on, or wakes it when something came")
    func claim() {
        let wakes = Mutex(0)
        let mailbox = Mailbox<Int>(wake: { wakes.withLock { $0 += 1 } })
        #expect(!mailbox.claim(), "the owner is awake")
        #expect(mailbox.prepareToSleep())
        #expect(mailbox.claim())
        #expect(!mailbox.claim(), "somebody has it")
        mailbox.handBack(mustWake: false)
        #expect(wakes.withLock { $0 } == 0)
        #expect(mailbox.claim())
        mailbox.post(1)
        #expect(wakes.withLock { $0 } == 0)
        mailbox.handBack(mustWake: false)
        #expect(wakes.withLock { $0 } == 1)
        var batch: [Int] = []
        mailbox.take(into: &batch)
        #expect(batch == [1])
        #expect(mailbox.prepareToSleep())
        #expect(mailbox.claim())
        mailbox.handBack(mustWake: true)
        #expect(wakes.withLock { $0 } == 2)
    }

    @Test("joining waits for the thread's end")
    func join() throws {
        let done = Mutex(false)
        let signal = ThreadSignal()
        let thread = try DedicatedThread(name: "a name beyond fifteen bytes") {
            signal.wait(until: nil)
            done.withLock { $0 = true }
        }
        signal.signal()
        thread.join()
        #expect(done.withLock { $0 })
    }
}
