// test_mailbox.cpp - the same driver under GoogleTest: a fixture boots and shuts down, and a lambda runs where a stop is expected.
#include <gtest/gtest.h>

#include <ntmm/ntmm.h>

#include "mailbox.h"

extern "C" DRIVER_INITIALIZE mailbox_DriverEntry;

class Mailbox : public ::testing::Test {
public:
    void SetUp() override
    {
        ntmm_config config = {};
        config.quiet = true;
        ASSERT_EQ(ntmm_boot(&config), 0) << ntmm_error();
        driver = ntmm_driver_load(mailbox_DriverEntry);
        ASSERT_NE(driver, nullptr) << ntmm_error();
    }
    void TearDown() override
    {
        if (!ntmm_is_halted()) {
            EXPECT_EQ(ntmm_driver_unload(driver), 0);
            EXPECT_EQ(ntmm_shutdown(nullptr), 0u) << "the driver leaks";
        } else
            ntmm_shutdown(nullptr);
    }
    NTSTATUS post(UCHAR slot, USHORT bytes)
    {
        unsigned char letter[20] = { slot, 0, (unsigned char)bytes, (unsigned char)(bytes >> 8), 'h', 'i' };
        return ntmm_request_control(driver->DeviceObject, IOCTL_MAILBOX_POST, letter, sizeof letter, nullptr, 0, nullptr);
    }
    PDRIVER_OBJECT driver = nullptr;
};

TEST_F(Mailbox, KeepsALetter)
{
    char   buffer[16] = { 5 };
    size_t bytes = 0;
    ASSERT_EQ(post(5, 2), STATUS_SUCCESS);
    ASSERT_EQ(ntmm_request_control(driver->DeviceObject, IOCTL_MAILBOX_FETCH, buffer, 1, buffer, sizeof buffer, &bytes), STATUS_SUCCESS);
    EXPECT_EQ(std::string(buffer, bytes), "hi");
}

TEST_F(Mailbox, RefusesALetterThatIsShorterThanItSays) { EXPECT_EQ(post(5, 17), STATUS_BUFFER_TOO_SMALL); }

TEST_F(Mailbox, SurvivesEveryFailure)
{
    ntmm_for_each_failure([](void *self) { static_cast<Mailbox *>(self)->post(1, 2); }, this);
}

TEST_F(Mailbox, IsNotCalledAtDispatchLevel)
{
    ntmm_bugcheck stop = {};
    auto          body = [](void *self) {
        KIRQL irql;
        KeRaiseIrql(DISPATCH_LEVEL, &irql);
        static_cast<Mailbox *>(self)->post(1, 2);
        KeLowerIrql(irql);
    };
    EXPECT_TRUE(ntmm_catch_bugcheck(body, this, &stop)) << "paged pool at DISPATCH_LEVEL went unnoticed";
}
