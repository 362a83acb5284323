//! Empty programs on the hooks that the tracer uses: what a hook itself costs (`cargo xtask bench events`).
//! Each has the name of the tracer's program on that hook.
#![cfg_attr(target_arch = "bpf", no_std, no_main)]

#[cfg(target_arch = "bpf")]
mod programs {
    use aya_ebpf::{
        macros::{btf_tracepoint, cgroup_skb, sock_ops, tracepoint},
        programs::{BtfTracePointContext, SkBuffContext, SockOpsContext, TracePointContext},
    };

    #[btf_tracepoint(function = "sched_process_fork")]
    fn sched_process_fork(_: BtfTracePointContext) -> i32 {
        0
    }

    #[btf_tracepoint(function = "sched_process_exec")]
    fn sched_process_exec(_: BtfTracePointContext) -> i32 {
        0
    }

    #[btf_tracepoint(function = "sched_process_exit")]
    fn sched_process_exit(_: BtfTracePointContext) -> i32 {
        0
    }

    #[btf_tracepoint(function = "tcp_retransmit_skb")]
    fn tcp_retransmit_skb(_: BtfTracePointContext) -> i32 {
        0
    }

    #[btf_tracepoint(function = "tcp_receive_reset")]
    fn tcp_receive_reset(_: BtfTracePointContext) -> i32 {
        0
    }

    #[btf_tracepoint(function = "inet_sk_error_report")]
    fn inet_sk_error_report(_: BtfTracePointContext) -> i32 {
        0
    }

    #[btf_tracepoint(function = "inet_sock_set_state")]
    fn inet_sock_set_state(_: BtfTracePointContext) -> i32 {
        0
    }

    #[tracepoint(category = "tcp", name = "tcp_send_reset")]
    fn tcp_send_reset(_: TracePointContext) -> u32 {
        0
    }

    #[tracepoint(category = "tcp", name = "tcp_retransmit_synack")]
    fn tcp_retransmit_synack(_: TracePointContext) -> u32 {
        0
    }

    #[cgroup_skb(egress)]
    fn bytes_sent(_: SkBuffContext) -> i32 {
        1
    }

    #[cgroup_skb(ingress)]
    fn bytes_received(_: SkBuffContext) -> i32 {
        1
    }

    /// BPF_SOCK_OPS_STATE_CB_FLAG and BPF_SOCK_OPS_RETRANS_CB_FLAG (include/uapi/linux/bpf.h): the same callbacks as
    /// for the tracer's program.
    const CALLBACKS: i32 = 1 << 1 | 1 << 2;

    #[sock_ops]
    fn prober_sock_ops(ctx: SockOpsContext) -> u32 {
        // An active connect begins (BPF_SOCK_OPS_TCP_CONNECT_CB).
        if ctx.op() == 3 {
            let _ = ctx.set_cb_flags(ctx.cb_flags() as i32 | CALLBACKS);
        }
        1
    }

    #[unsafe(link_section = "license")]
    #[unsafe(no_mangle)]
    static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

    #[panic_handler]
    fn panic(_info: &core::panic::PanicInfo) -> ! {
        // Never reached: no program panics.
        loop {}
    }
}

/// Built for the kernel only; on any other target this is an empty command.
#[cfg(not(target_arch = "bpf"))]
fn main() {}
