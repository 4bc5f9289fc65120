import Concurrency
import DiffusionModels
import Messages
import RPC

/// The engine thread's loop: it takes drawings, drops the cancelled ones, and does a step of the one that has had the least
/// time. So a drawing of many pixels delays a small one by one step at most.
struct DiffusionEngineLoop {
    private let runningLimit: Int
    private let gauge: LoadGauge
    private let forecast: DrawingForecast
    /// In the order in which they came and were last served.
    private var tasks: [DiffusionEngine.Drawing] = []
    /// How much of a drawing's work a lost instance takes with it, at most.
    private static let checkpointInterval: Duration = .milliseconds(250)
    /// The numbers of one checkpoint, at most: an attachment of 64 MiB.
    private static let checkpointLimit = 16 << 20 - 64
    /// What the transport needs to send an update before the instance may die.
    private static let flushDelay: Duration = .milliseconds(20)

    init(runningLimit: Int, gauge: LoadGauge, forecast: DrawingForecast) {
        (self.runningLimit, self.gauge, self.forecast) = (runningLimit, gauge, forecast)
    }

    /// Returns when the queue is closed and all its drawings have ended.
    mutating func run(_ queue: BoundedQueue<DiffusionEngine.Drawing>) {
        while true {
            if tasks.isEmpty {
                guard let task = queue.take() else { return }
                add(task)
            }
            // Other drawings stay in the bounded queue, which refuses further ones when it is full.
            while tasks.count < runningLimit, let task = queue.take(until: .now) { add(task) }
            guard var task = takeNext() else { continue }
            if task.context.isCancelled {
                end(task, RPCError(.cancelled, "the caller is gone or its deadline has passed"))
                continue
            }
            let start = ContinuousClock.now
            do {
                let isDone = try advance(&task)
                task.spent += .now - start
                if isDone { end(task, nil) } else { tasks.append(task) }
            } catch {
                end(task, error)
            }
        }
    }

    /// Removes the drawing that has had the least time; one whose caller is gone comes first.
    private mutating func takeNext() -> DiffusionEngine.Drawing? {
        let gone = tasks.firstIndex { $0.context.isCancelled }
        let index = gone ?? tasks.indices.min { tasks[$0].spent < tasks[$1].spent }
        return index.map { tasks.remove(at: $0) }
    }

    private mutating func add(_ task: DiffusionEngine.Drawing) {
        gauge.addOutstanding(task.outstanding)
        let least = tasks.map(\.spent).min() ?? .zero
        tasks.append(task)
        (tasks[tasks.count - 1].savedAt, tasks[tasks.count - 1].spent) = (.now, least)
    }

    /// One step; after the last one the pictures.
    /// - Returns: whether the drawing is done.
    private func advance(_ task: inout DiffusionEngine.Drawing) throws -> Bool {
        let steps = UInt32(task.job.steps)
        let bound = task.updateBound
        if task.isQuarantined, !task.isAnnounced {
            task.isAnnounced = true
            var start = Wire.DrawUpdate(step: UInt32(task.job.completedSteps), steps: steps)
            start.isStart = true
            try task.writer.offer(start, bound: bound)
            _ = ThreadSignal().wait(until: .now + Self.flushDelay)
        }
        gauge.beginStep()
        defer { gauge.endStep() }
        if !task.job.isFinished { try step(&task) }
        guard task.job.isFinished else { return false }
        for (index, picture) in try task.job.pictures().enumerated() {
            var drawn = Wire.DrawnPicture(
                index: UInt32(index), seed: task.seeds[index], width: UInt32(picture.width),
                height: UInt32(picture.height))
            (drawn.steps, drawn.guidanceScale, drawn.sampler) = (steps, task.job.guidanceScale, task.job.sampler)
            let png = Attachment(Array(try picture.png()))
            try task.writer.offer(
                Wire.DrawUpdate(step: steps, steps: steps, picture: drawn), attachments: [png], bound: bound)
        }
        return true
    }

    private func step(_ task: inout DiffusionEngine.Drawing) throws {
        let preview = task.previews.index(after: task.job.completedSteps + 1)
        let (pixels, start) = (task.job.pixelsPerStep, ContinuousClock.now)
        do throws(DiffusionError) {
            // A step can be long: it ends early when its caller goes, and reports progress meanwhile.
            let isUnwanted: @Sendable () -> Bool = { [gauge, context = task.context] in
                gauge.progressStep()
                return context.isCancelled
            }
            _ = try task.job.pipeline.device.interruptible(isUnwanted) { () throws(DiffusionError) in
                try task.job.step(previews: preview != nil)
            }
        } catch {
            throw RPCError(diffusion: error)
        }
        forecast.record(pixels: pixels, duration: .now - start)
        gauge.addOutstanding(-task.seeds.count)
        var update = Wire.DrawUpdate(step: UInt32(task.job.completedSteps), steps: UInt32(task.job.steps))
        try task.writer.offer(update, bound: task.updateBound)
        // Previews come before the checkpoint: a drawing that resumes from it has sent them already.
        if let preview { try send(preview, of: task, update) }
        let isDue = task.isQuarantined || .now - task.savedAt >= Self.checkpointInterval
        guard isDue, task.job.checkpointSize <= Self.checkpointLimit else { return }
        task.savedAt = .now
        update.isCheckpoint = true
        let checkpoint: [UInt8]
        do throws(DiffusionError) { checkpoint = try task.job.checkpoint.bytes } catch {
            throw RPCError(diffusion: error)
        }
        try task.writer.offerLatest(update, attachments: [Attachment(checkpoint)])
    }

    private func send(_ number: Int, of task: DiffusionEngine.Drawing, _ update: Wire.DrawUpdate) throws {
        for (index, picture) in try task.job.previews().enumerated() {
            var update = update
            update.preview = Wire.DrawPreview(
                picture: UInt32(index), index: UInt32(number), width: UInt32(picture.width),
                height: UInt32(picture.height))
            let png = Attachment(Array(try picture.png()))
            try task.writer.offer(update, attachments: [png], bound: task.updateBound)
        }
    }

    private func end(_ task: DiffusionEngine.Drawing, _ error: (any Error)?) {
        gauge.addOutstanding(-task.outstanding)
        if let error { task.done.resume(throwing: error) } else { task.done.resume() }
    }
}
